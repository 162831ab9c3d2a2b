//! What the file of `--config` may say, as a JSON Schema (draft 2020-12) for editors. The agent itself reads the file by its
//! types, which say more: that neither drifts from the other, the tests look after.

/// The schema.
pub const SCHEMA: &str = include_str!("schema.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::config::file::{Around, parse};

    /// What is unknown everywhere.
    const UNKNOWN: &str = "zzz";
    /// What the agent writes for itself, and no file.
    const INTERNAL: [&str; 3] = ["found", "loaded", "file_content"];

    /// The tables of the schema, by JSON pointer, each with a document that says `zzz` in it.
    const TABLES: [(&str, &str); 24] = [
        ("", "zzz = 1"),
        ("/$defs/capture", "capture.zzz = 1"),
        ("/$defs/network_rules", "network.zzz = 1"),
        ("/$defs/client_certificate", "[[client_certificate]]\nzzz = 1"),
        ("/$defs/rule", "[[rule]]\nzzz = 1"),
        ("/$defs/match", "[[rule]]\nmatch.zzz = 1"),
        ("/$defs/verdict/anyOf/1", "[[rule]]\nverdict.zzz = {}"),
        ("/$defs/block", "[[rule]]\nverdict.block.zzz = 1"),
        ("/$defs/mock", "[[rule]]\nverdict.mock.zzz = 1"),
        ("/$defs/event", "[[rule]]\nverdict.mock.events = [{ zzz = 1 }]"),
        ("/$defs/ending", "[[rule]]\nverdict.mock.grpc.zzz = 1"),
        ("/$defs/redirect", "[[rule]]\nverdict.redirect.zzz = 1"),
        ("/$defs/ask", "[[rule]]\nverdict.ask.zzz = 1"),
        ("/$defs/request_edits", "[[rule]]\nrequest.zzz = 1"),
        ("/$defs/response_edits", "[[rule]]\nresponse.zzz = 1"),
        ("/$defs/fields", "[[rule]]\nrequest.headers.zzz = 1"),
        ("/$defs/query_edits", "[[rule]]\nrequest.query.zzz = 1"),
        ("/$defs/body_edits", "[[rule]]\nrequest.body.zzz = 1"),
        ("/$defs/json_edit", "[[rule]]\nrequest.body.json = [{ zzz = 1 }]"),
        ("/$defs/replace", "[[rule]]\nrequest.path = [{ zzz = 1 }]"),
        ("/$defs/limit", "[[rule]]\nlimit.zzz = 1"),
        ("/$defs/quota", "[[rule]]\nlimit.quota.zzz = 1"),
        ("/$defs/example", "[[example]]\nzzz = 1"),
        ("/$defs/asked", "[[example]]\nrequest.zzz = 1"),
    ];

    /// The one table whose keys serde does not name: a value is that or a text.
    const VALUE: &str = "/$defs/value/anyOf/1";

    /// The words of the schema, likewise.
    const WORDS: [(&str, &str); 13] = [
        ("/properties/on_pinned", "on_pinned = 'zzz'"),
        ("/properties/refuse", "refuse = 'zzz'"),
        ("/$defs/capture/properties/on_full", "capture.on_full = 'zzz'"),
        ("/$defs/network_rules/properties/ports/additionalProperties", "network.ports.1 = 'zzz'"),
        ("/$defs/match/properties/protocol/anyOf/0", "[[rule]]\nmatch.protocol = 'zzz'"),
        ("/$defs/match/properties/protocol/anyOf/1/items", "[[rule]]\nmatch.protocol = ['zzz']"),
        ("/$defs/verdict/anyOf/0", "[[rule]]\nverdict = 'zzz'"),
        ("/$defs/choice", "[[rule]]\non_error = 'zzz'"),
        ("/$defs/body_edits/properties/redact/items", "[[rule]]\nrequest.body.redact = ['zzz']"),
        ("/$defs/quota/properties/per", "[[rule]]\nlimit.quota.per = 'zzz'"),
        ("/$defs/limit/properties/per", "[[rule]]\nlimit.per = 'zzz'"),
        ("/$defs/limit/properties/over", "[[rule]]\nlimit.over = 'zzz'"),
        ("/$defs/example/properties/verdict", "[[example]]\nverdict = 'zzz'"),
    ];

    fn schema() -> Value {
        serde_json::from_str(SCHEMA).unwrap()
    }

    /// What is wrong with a document; nothing, if nothing is.
    fn told(text: &str) -> String {
        let around = Around {
            file: &|_| Err(io::ErrorKind::NotFound.into()),
            variable: &|_| Some("x".to_owned()),
            addresses: &|_| Ok(Vec::new()),
        };
        parse(Path::new("a.toml"), text, &around).err().map(|error| error.to_string()).unwrap_or_default()
    }

    /// What serde says could stand in the place of `zzz`.
    fn expected(text: &str) -> BTreeSet<String> {
        let told = told(text);
        let line = told.lines().find(|line| line.contains("unknown")).unwrap_or_else(|| panic!("{text}: {told}"));
        let (unknown, expected) = line.split_once(", expected ").unwrap_or_else(|| panic!("{text}: {told}"));
        assert!(unknown.contains(&format!("`{UNKNOWN}`")), "{text}: {told}");
        let names = expected.split('`').skip(1).step_by(2).filter(|name| !INTERNAL.contains(name));
        names.map(str::to_owned).collect()
    }

    /// Pointers to all parts of a schema that have `key`.
    fn having(key: &str, value: &Value, pointer: &str, found: &mut BTreeSet<String>) {
        let Value::Object(members) = value else {
            let elements = value.as_array().into_iter().flatten().enumerate();
            return elements.for_each(|(at, element)| having(key, element, &format!("{pointer}/{at}"), found));
        };
        // The names of properties are not the schema's own.
        let is_part = !pointer.ends_with("/properties") && pointer != "/$defs";
        if is_part && members.contains_key(key) {
            found.insert(pointer.to_owned());
        }
        members.iter().for_each(|(name, member)| having(key, member, &format!("{pointer}/{name}"), found));
    }

    fn all_having(key: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        having(key, &schema(), "", &mut found);
        found
    }

    #[test]
    fn every_table_has_the_keys_that_the_agent_reads() {
        let schema = schema();
        for (pointer, text) in TABLES {
            let table = schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
            let names: BTreeSet<String> = table["properties"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(names, expected(text), "{pointer}");
            assert_eq!(table["additionalProperties"], Value::Bool(false), "{pointer}");
        }
        let known: BTreeSet<String> =
            TABLES.iter().map(|(pointer, _)| *pointer).chain([VALUE]).map(str::to_owned).collect();
        assert_eq!(all_having("properties"), known);
    }

    #[test]
    fn a_value_that_is_not_in_the_file_has_the_keys_that_the_agent_reads() {
        let names: Vec<String> =
            schema().pointer(VALUE).unwrap()["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["env", "file", "format"]);
        let rule = |value: &str| told(&format!("[[rule]]\nrequest.headers.set.x = {value}"));
        assert_eq!(rule("{ env = 'A', format = 'b {}' }"), "");
        assert!(rule("{ file = 'a' }").contains("`a` cannot be read"));
        assert!(rule("{ env = 'A', zzz = 1 }").contains("write a text"));
    }

    #[test]
    fn every_choice_has_the_words_that_the_agent_reads() {
        let schema = schema();
        for (pointer, text) in WORDS {
            let words = schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"))["enum"].as_array().unwrap();
            let words: BTreeSet<String> = words.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
            assert_eq!(words, expected(text), "{pointer}");
        }
        let known: BTreeSet<String> = WORDS.iter().map(|(pointer, _)| (*pointer).to_owned()).collect();
        assert_eq!(all_having("enum"), known);
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_key_is_described() {
        let schema = schema();
        for pointer in all_having("$ref") {
            let target = schema.pointer(&pointer).unwrap()["$ref"].as_str().unwrap();
            assert!(schema.pointer(target.trim_start_matches('#')).is_some(), "{pointer}: {target}");
        }
        for pointer in all_having("properties") {
            for (name, property) in schema.pointer(&pointer).unwrap()["properties"].as_object().unwrap() {
                let is_described = property.get("description").or_else(|| property.get("$ref")).is_some();
                assert!(is_described, "{pointer}: {name}");
            }
        }
        let described = all_having("description");
        let definitions = schema["$defs"].as_object().unwrap().keys();
        definitions.for_each(|name| assert!(described.contains(&format!("/$defs/{name}")), "{name}"));
    }
}
