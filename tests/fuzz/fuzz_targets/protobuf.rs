//! A protocol buffer without its schema, with one, and as a server's answer to reflection.

#![no_main]

use agent::engine::decode::protobuf::schema::Schema;
use agent::engine::decode::protobuf::{MAX_TEXT, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(text) = text(bytes) {
        assert!(text.len() <= 2 * MAX_TEXT && text.is_empty() == bytes.is_empty());
    }
    let mut schema = Schema::default();
    for name in ["google.protobuf.FileDescriptorProto", "google.protobuf.Struct", "google.protobuf.Any"] {
        let known = schema.message(name).expect("a type that everybody knows");
        if let Ok(text) = known.text(bytes) {
            let json = text.split("\nfields that ").next().unwrap_or_default();
            serde_json::from_str::<serde_json::Value>(json).expect("JSON");
        }
    }
    schema.learn(bytes);
    let set = schema.descriptor_set();
    Schema::default().add_descriptor_set(&set).expect("what was learnt hangs together");
});
