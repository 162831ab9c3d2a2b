//! The types of protocol buffers, as far as they are known: from descriptors, from `.proto` files, and from the answers of
//! servers that say what they speak (gRPC server reflection). They come as text and bytes; no file is read.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions, Value};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde::{Deserialize, Serialize};

use super::MAX_TEXT;
use super::descriptor::usable;
use super::wire::{self, Fields};

/// Most files that are learnt from servers, and that wait for others which they import.
pub const MAX_FILES: usize = 4_096;
/// Most bytes of them that wait.
pub const MAX_WAITING: usize = 16 * 1024 * 1024;

/// Why there is no schema.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// What is known of types and methods.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schema {
    pool: DescriptorPool,
    /// Files of which an import is missing so far, by name.
    waiting: BTreeMap<String, FileDescriptorProto>,
    waiting_bytes: usize,
}

/// A type of messages, in the schema that it is of.
#[derive(Clone, Debug)]
pub struct MessageType(MessageDescriptor);

/// What a method takes and gives.
#[derive(Clone, Debug)]
pub struct Method {
    /// The type of its requests.
    pub input: MessageType,
    /// The type of its responses.
    pub output: MessageType,
}

impl Default for Schema {
    /// What every program knows: `google/protobuf/*.proto`.
    fn default() -> Self {
        Self { pool: DescriptorPool::global(), waiting: BTreeMap::new(), waiting_bytes: 0 }
    }
}

impl From<Schema> for String {
    fn from(schema: Schema) -> Self {
        STANDARD.encode(schema.descriptor_set())
    }
}

impl TryFrom<String> for Schema {
    type Error = Unreadable;

    fn try_from(text: String) -> Result<Self, Unreadable> {
        let set = STANDARD.decode(text).map_err(|error| Unreadable(format!("no descriptor set: {error}")))?;
        let mut schema = Self::default();
        schema.add_descriptor_set(&set).map(|()| schema)
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Schema of {} files", self.pool.files().len())
    }
}

impl Schema {
    /// Adds the files of a serialised `FileDescriptorSet`, as `protoc --descriptor_set_out` writes it.
    ///
    /// # Errors
    /// If it is none, or a type is missing in it.
    pub fn add_descriptor_set(&mut self, set: &[u8]) -> Result<(), Unreadable> {
        let set = FileDescriptorSet::decode(set);
        let set = set.map_err(|error| Unreadable(format!("no descriptor set: {error}")))?;
        if set.file.is_empty() {
            return Err(Unreadable("a descriptor set without a file".to_owned()));
        }
        let count = set.file.len();
        let files: Vec<FileDescriptorProto> = set.file.into_iter().filter_map(usable).collect();
        if files.len() < count {
            return Err(Unreadable("a descriptor set with a syntax that is not known".to_owned()));
        }
        let added = self.pool.add_file_descriptor_protos(files);
        added.map_err(|error| {
            Unreadable(format!("a descriptor set that is not complete: {error}; write it with --include_imports"))
        })
    }

    /// Adds `.proto` files, given as the names by which they are imported and their texts. They import one another and
    /// `google/protobuf/*.proto`.
    ///
    /// # Errors
    /// The first error in them, with its file.
    pub fn add_sources(&mut self, sources: &[(String, String)]) -> Result<(), Unreadable> {
        let mut resolver = ChainFileResolver::new();
        resolver.add(Sources(sources.to_vec()));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        for (name, _) in sources {
            let opened = compiler.open_file(name);
            opened.map_err(|error| Unreadable(format!("{}: {error}", error.file().unwrap_or(name))))?;
        }
        let files = compiler.file_descriptor_set().file;
        self.pool.add_file_descriptor_protos(files).map_err(|error| Unreadable(error.to_string()))
    }

    /// Takes up the files in a message that a server sent in answer to reflection (see [`is_reflection`]); how many. What
    /// cannot be read is left out, what imports a file that is not known waits for it.
    pub fn learn(&mut self, answer: &[u8]) -> usize {
        // ServerReflectionResponse.file_descriptor_response is field 4, file_descriptor_proto in it field 1.
        let responses: Vec<&[u8]> = bytes_of(answer, 4).collect();
        for file in responses.into_iter().flat_map(|response| bytes_of(response, 1)) {
            let Some(proto) = FileDescriptorProto::decode(file).ok().and_then(usable) else { continue };
            let (name, size) = (proto.name().to_owned(), proto.encoded_len());
            let fits = self.waiting.len() < MAX_FILES && self.waiting_bytes + size <= MAX_WAITING;
            let is_new = self.pool.get_file_by_name(&name).is_none() && !self.waiting.contains_key(&name);
            if fits && is_new {
                self.waiting_bytes += size;
                self.waiting.insert(name, proto);
            }
        }
        self.settle()
    }

    /// Adds what waits and has all of its imports; how many files.
    fn settle(&mut self) -> usize {
        let mut added = 0;
        loop {
            let is_ready = |file: &FileDescriptorProto| {
                file.dependency.iter().all(|name| self.pool.get_file_by_name(name).is_some())
            };
            let names: Vec<String> =
                self.waiting.iter().filter(|(_, file)| is_ready(file)).map(|(name, _)| name.clone()).collect();
            if names.is_empty() {
                return added;
            }
            for file in names.iter().filter_map(|name| self.waiting.remove(name)) {
                self.waiting_bytes = self.waiting_bytes.saturating_sub(file.encoded_len());
                let has_room = self.pool.files().len() < MAX_FILES;
                added += usize::from(has_room && self.pool.add_file_descriptor_proto(file).is_ok());
            }
        }
    }

    /// All of it as a serialised `FileDescriptorSet`.
    #[must_use]
    pub fn descriptor_set(&self) -> Vec<u8> {
        self.pool.encode_to_vec()
    }

    /// The method that a request to `path` calls, `/package.Service/Method` with or without something before it.
    #[must_use]
    pub fn method(&self, path: &str) -> Option<Method> {
        let path = path.split(['?', '#']).next()?;
        let mut segments = path.rsplit('/');
        let (method, service) = (segments.next()?, segments.next()?);
        let service = self.pool.get_service_by_name(service)?;
        let method = service.methods().find(|candidate| candidate.name() == method)?;
        Some(Method { input: MessageType(method.input()), output: MessageType(method.output()) })
    }

    /// The type with this full name.
    #[must_use]
    pub fn message(&self, name: &str) -> Option<MessageType> {
        self.pool.get_message_by_name(name).map(MessageType)
    }
}

impl MessageType {
    /// Its full name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.full_name()
    }

    /// `bytes` as JSON that [`of_json`](Self::of_json) reads.
    ///
    /// # Errors
    /// If they are no message of this type, or have fields that the type does not: those would be lost.
    pub fn to_json(&self, bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let message = DynamicMessage::decode(self.0.clone(), bytes);
        let message = message.map_err(|error| Unreadable(format!("no {}: {error}", self.name())))?;
        let mut unknown_fields = String::new();
        unknown(&message, self.name(), &mut unknown_fields);
        if !unknown_fields.is_empty() {
            return Err(Unreadable(format!("a {} with fields that its type does not have", self.name())));
        }
        let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(true);
        let mut json = Vec::new();
        let written = message.serialize_with_options(&mut serde_json::Serializer::new(&mut json), &options);
        written.map(|()| json).map_err(|error| Unreadable(format!("{} that has no JSON: {error}", self.name())))
    }

    /// The message that `json` says.
    ///
    /// # Errors
    /// If it says none of this type.
    pub fn of_json(&self, json: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let message = DynamicMessage::deserialize(self.0.clone(), &mut reader);
        let message = message.map_err(|error| Unreadable(format!("no {}: {error}", self.name())))?;
        Ok(message.encode_to_vec())
    }

    /// `bytes` as indented JSON, and after it, as by [`text`](super::text), the fields that the type does not have.
    ///
    /// # Errors
    /// If they are no message of this type, or its text is longer than [`MAX_TEXT`].
    pub fn text(&self, bytes: &[u8]) -> Result<String, Unreadable> {
        let message = DynamicMessage::decode(self.0.clone(), bytes);
        let message = message.map_err(|error| Unreadable(format!("no {}: {error}", self.name())))?;
        let mut json = Limited(Vec::new());
        // Fields have the names of their declarations, and large numbers are numbers: it is to be read, not parsed.
        let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
        let written = message.serialize_with_options(&mut serde_json::Serializer::pretty(&mut json), &options);
        written.map_err(|error| Unreadable(format!("{} that has no JSON: {error}", self.name())))?;
        let mut text = String::from_utf8_lossy(&json.0).into_owned();
        unknown(&message, self.name(), &mut text);
        Ok(text)
    }
}

/// Whether a request to `path` asks a server for its schema.
#[must_use]
pub fn is_reflection(path: &str) -> bool {
    ["/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"]
        .iter()
        .any(|service| path.starts_with(service))
}

/// The values of the fields of bytes with this number.
fn bytes_of(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields(message).map_while(Result::ok).filter_map(move |field| match field {
        (of, wire::Value::Bytes(bytes)) if of == number => Some(bytes),
        _ => None,
    })
}

/// Appends the fields of `message`, and of the messages in it, that their types do not have.
fn unknown(message: &DynamicMessage, path: &str, text: &mut String) {
    let mut bytes = Vec::new();
    message.unknown_fields().for_each(|field| field.encode(&mut bytes));
    if !bytes.is_empty() {
        let fields = super::text(&bytes).unwrap_or_default();
        text.push_str(&format!("\nfields that {path} is not known to have:\n{}", fields.trim_end()));
    }
    for (field, value) in message.fields() {
        let path = format!("{path}.{}", field.name());
        each_message(value, &mut |message| unknown(message, &path, text));
    }
}

/// Calls `take` with the messages that a value is or holds.
fn each_message(value: &Value, take: &mut dyn FnMut(&DynamicMessage)) {
    match value {
        Value::Message(message) => take(message),
        Value::List(list) => list.iter().for_each(|value| each_message(value, take)),
        Value::Map(map) => map.values().for_each(|value| each_message(value, take)),
        _ => {}
    }
}

/// Text of at most [`MAX_TEXT`] bytes.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_TEXT {
            return Err(io::Error::other(format!("its text is longer than {MAX_TEXT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Files by name.
struct Sources(Vec<(String, String)>);

impl FileResolver for Sources {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        self.0.iter().map(|(name, _)| name).find(|name| Path::new(name) == path).cloned()
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let (_, text) = self.0.iter().find(|(of, _)| of == name).ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}
