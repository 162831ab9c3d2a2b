//! Files of descriptors, made such that prost-reflect takes them: it panics at a syntax that it does not know, and where
//! options are left in the form of the source.

use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumOptions, FieldDescriptorProto, FieldOptions, FileDescriptorProto,
    MessageOptions,
};

/// `file` without what is not needed to read messages; `None` if its syntax is not known. What an edition has is close to
/// `proto2`: fields know whether they are there.
pub(super) fn usable(mut file: FileDescriptorProto) -> Option<FileDescriptorProto> {
    match file.syntax.as_deref() {
        None | Some("proto2" | "proto3") => {}
        Some("editions") => file.syntax = Some("proto2".to_owned()),
        Some(_) => return None,
    }
    file.options = None;
    file.source_code_info = None;
    file.message_type.iter_mut().for_each(strip_message);
    file.enum_type.iter_mut().for_each(strip_enum);
    file.extension.iter_mut().for_each(strip_field);
    for service in &mut file.service {
        service.options = None;
        service.method.iter_mut().for_each(|method| method.options = None);
    }
    Some(file)
}

fn strip_message(message: &mut DescriptorProto) {
    // What tells a map from a list of messages.
    let map_entry = message.options.take().and_then(|options| options.map_entry);
    message.options = map_entry.map(|_| MessageOptions { map_entry, ..MessageOptions::default() });
    message.field.iter_mut().chain(&mut message.extension).for_each(strip_field);
    message.enum_type.iter_mut().for_each(strip_enum);
    message.oneof_decl.iter_mut().for_each(|oneof| oneof.options = None);
    message.extension_range.iter_mut().for_each(|range| range.options = None);
    message.nested_type.iter_mut().for_each(strip_message);
}

fn strip_field(field: &mut FieldDescriptorProto) {
    let packed = field.options.take().and_then(|options| options.packed);
    field.options = packed.map(|_| FieldOptions { packed, ..FieldOptions::default() });
}

fn strip_enum(enumeration: &mut EnumDescriptorProto) {
    let allow_alias = enumeration.options.take().and_then(|options| options.allow_alias);
    enumeration.options = allow_alias.map(|_| EnumOptions { allow_alias, ..EnumOptions::default() });
    enumeration.value.iter_mut().for_each(|value| value.options = None);
}
