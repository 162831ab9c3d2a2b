//! Tests of protocol buffers as text.

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::schema::{Schema, is_reflection};
use super::*;
use crate::engine::dice::Dice;

/// The examples of the encoding's documentation, and what is hard to tell.
#[test]
fn fields_are_guessed() {
    for (bytes, expect) in [
        (&b"\x08\x96\x01"[..], "1: 150\n"),
        (b"\x12\x07testing", "2: \"testing\"\n"),
        (b"\x1a\x03\x08\x96\x01", "3 {\n  1: 150\n}\n"),
        (b"\x32\x06\x03\x8e\x02\x9e\xa7\x05", "6: bytes 038e029ea705 (6 bytes) or packed 3, 270, 86942\n"),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "1: 18446744073709551615 = -1\n"),
        (b"\x0d\0\0\x80\x3f", "1: fixed32 1065353216 = 1.0\n"),
        (b"\x09\0\0\0\0\0\0\xf0\x3f", "1: fixed64 4607182418800017408 = 1.0\n"),
        (b"\x0b\x10\x01\x0c", "1 group {\n  2: 1\n}\n"),
        (b"\x0a\x00", "1: \"\"\n"),
        (b"\x0a\x02\xff\xff", "1: bytes ffff (2 bytes)\n"),
        (b"\x0a\x0b\x0a\x09abcdefghi", "1 {\n  1: \"abcdefghi\"\n}\n"),
        (b"\x0a\x04a\n\"\x1b", "1: bytes 610a221b (4 bytes) or packed 97, 10, 34, 27\n"),
        ("\x0a\x03\u{fc}\n".as_bytes(), "1: \"ü\\n\"\n"),
        (b"", ""),
    ] {
        assert_eq!(text(bytes).as_deref(), Some(expect), "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_is_no_message_is_none() {
    for bytes in [
        &b"\x08"[..],
        b"\x00\x01",
        b"\x0f\x01",
        b"\x0a\x05abc",
        b"\x0b",
        b"\x0c",
        b"\x0b\x14",
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
        b"<html>",
    ] {
        assert_eq!(text(bytes), None, "{}", bytes.escape_ascii());
    }
}

#[test]
fn nesting_ends_at_a_depth() {
    let mut bytes = b"\x08\x01".to_vec();
    for _ in 0..200 {
        let mut outer = vec![0x0a];
        let length = bytes.len();
        outer.extend(if length < 128 {
            vec![length as u8]
        } else {
            vec![(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]
        });
        bytes = [outer, bytes].concat();
    }
    let text = text(&bytes).unwrap();
    assert_eq!(text.matches('{').count(), MAX_DEPTH - 1, "{text}");
    let groups = [vec![0x0b; 100], vec![0x0c; 100]].concat();
    assert_eq!(super::text(&groups), None);
}

#[test]
fn any_bytes_are_a_message_or_none() {
    let mut dice = Dice(9);
    for _ in 0..20_000 {
        let bytes = dice.bytes(40);
        if let Some(text) = text(&bytes) {
            assert_eq!(text.is_empty(), bytes.is_empty());
        }
    }
}

const GREETING: &str = r#"
    syntax = "proto3";
    package demo;
    import "common/person.proto";
    import "google/protobuf/timestamp.proto";
    message Hello { demo.common.Person who = 1; google.protobuf.Timestamp at = 2; int64 number = 3; map<string, bytes> more = 4; }
    message Reply { string text = 1; repeated int32 numbers = 2; }
    service Greeter { rpc Greet(Hello) returns (stream Reply); }
"#;
const PERSON: &str = r#"
    syntax = "proto3";
    package demo.common;
    message Person { string first_name = 1; }
"#;

fn sources() -> Vec<(String, String)> {
    [("greeting.proto", GREETING), ("common/person.proto", PERSON)]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into()
}

fn compiled() -> Schema {
    let mut schema = Schema::default();
    schema.add_sources(&sources()).unwrap();
    schema
}

/// The descriptors of [`sources`], imports included.
fn descriptors() -> FileDescriptorSet {
    let set = compiled().descriptor_set();
    FileDescriptorSet::decode(set.as_slice()).unwrap()
}

/// What a server answers to reflection.
fn answer(files: &[FileDescriptorProto]) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let mut length = Vec::new();
        prost_reflect::prost::encode_length_delimiter(bytes.len(), &mut length).unwrap();
        [&[number << 3 | 2], &length[..], bytes].concat()
    };
    let files: Vec<u8> = files.iter().flat_map(|file| field(1, &file.encode_to_vec())).collect();
    [field(1, b"host"), field(4, &files)].concat()
}

const HELLO: &[u8] = b"\x0a\x05\x0a\x03Ann\x12\x02\x08\x3c\x18\xff\xff\xff\xff\xff\xff\xff\x7f";

fn reads_a_greeting(schema: &Schema) {
    let method = schema.method("/demo.Greeter/Greet").unwrap();
    assert_eq!((method.input.name(), method.output.name()), ("demo.Hello", "demo.Reply"));
    let expect = "{\n  \"who\": {\n    \"first_name\": \"Ann\"\n  },\n  \"at\": \"1970-01-01T00:01:00Z\",\n  \"number\": 72057594037927935\n}";
    assert_eq!(method.input.text(HELLO).unwrap(), expect);
}

#[test]
fn a_schema_is_read_from_sources_descriptors_and_reflection() {
    reads_a_greeting(&compiled());
    let mut schema = Schema::default();
    schema.add_descriptor_set(&descriptors().encode_to_vec()).unwrap();
    reads_a_greeting(&schema);
    let mut schema = Schema::default();
    let files = descriptors().file;
    let learnt: Vec<usize> = files.iter().rev().map(|file| schema.learn(&answer(std::slice::from_ref(file)))).collect();
    assert_eq!(learnt.iter().sum::<usize>(), 2, "{learnt:?}");
    reads_a_greeting(&schema);
    assert_eq!(schema.learn(&answer(&files)), 0, "known before");
}

#[test]
fn fields_that_the_schema_does_not_have_stay_visible() {
    let reply = compiled().message("demo.Reply").unwrap();
    let text = reply.text(b"\x0a\x01a\x12\x02\x01\x02\x48\x05").unwrap();
    let expect = "{\n  \"text\": \"a\",\n  \"numbers\": [\n    1,\n    2\n  ]\n}\nfields that demo.Reply is not known to have:\n9: 5";
    assert_eq!(text, expect);
    let hello = compiled().message("demo.Hello").unwrap();
    let text = hello.text(b"\x0a\x02\x48\x05").unwrap();
    assert!(text.ends_with("fields that demo.Hello.who is not known to have:\n9: 5"), "{text}");
    assert!(reply.text(b"\x0a\x05a").is_err());
}

#[test]
fn methods_are_found_by_path() {
    let schema = compiled();
    for (path, is_known) in [
        ("/demo.Greeter/Greet", true),
        ("/prefix/demo.Greeter/Greet?a=b", true),
        ("/demo.Greeter/Other", false),
        ("/demo.Other/Greet", false),
        ("/", false),
        ("", false),
    ] {
        assert_eq!(schema.method(path).is_some(), is_known, "{path}");
    }
    assert!(is_reflection("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
    assert!(is_reflection("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"));
    assert!(!is_reflection("/demo.Greeter/Greet"));
}

#[test]
fn what_cannot_be_read_names_its_place() {
    let source = |text: &str| vec![("a.proto".to_owned(), text.to_owned())];
    for (sources, expect) in [
        (source("syntax = \"proto3\"; message {"), "a.proto"),
        (source("syntax = \"proto3\"; import \"b.proto\";"), "b.proto"),
        (source("syntax = \"proto3\"; message A { B b = 1; }"), "B"),
    ] {
        let error = Schema::default().add_sources(&sources).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
    for set in [&b""[..], b"\x0a\x05abc", b"<html>"] {
        assert!(Schema::default().add_descriptor_set(set).is_err(), "{}", set.escape_ascii());
    }
}

#[test]
fn a_syntax_that_is_not_known_ends_nothing() {
    for (syntax, learnt) in [("proto4", 0), ("editions", 2)] {
        let mut set = descriptors();
        set.file.iter_mut().for_each(|file| file.syntax = Some(syntax.to_owned()));
        let mut schema = Schema::default();
        assert_eq!(schema.learn(&answer(&set.file)), learnt, "{syntax}");
        assert_eq!(Schema::default().add_descriptor_set(&set.encode_to_vec()).is_ok(), learnt > 0, "{syntax}");
    }
}

#[test]
fn descriptors_that_are_spoilt_end_nothing() {
    let good = answer(&descriptors().file);
    let mut dice = Dice(13);
    for _ in 0..300 {
        let mut schema = Schema::default();
        schema.learn(&dice.spoil(&good));
        // What was taken up hangs together.
        let set = schema.descriptor_set();
        assert!(Schema::default().add_descriptor_set(&set).is_ok());
    }
}

#[test]
fn text_that_would_be_long_is_an_error() {
    let deep = |inner: Vec<u8>| {
        (0..60).fold(inner, |inner, _| {
            let mut length = Vec::new();
            prost_reflect::prost::encode_length_delimiter(inner.len(), &mut length).unwrap();
            [&[0x0a], &length[..], &inner].concat()
        })
    };
    let mut schema = Schema::default();
    schema
        .add_sources(&[(
            "a.proto".to_owned(),
            "syntax = \"proto3\"; message A { A a = 1; repeated bool b = 2; }".to_owned(),
        )])
        .unwrap();
    let numbers = [&b"\x12\xa0\x8d\x06"[..], &[1; 100_000]].concat();
    let message = schema.message("A").unwrap();
    assert!(message.text(&deep(numbers)).unwrap_err().to_string().contains("longer"));
    assert!(message.text(&deep(b"\x12\x01\x01".to_vec())).is_ok());
}
