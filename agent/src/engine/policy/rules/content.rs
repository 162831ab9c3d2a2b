//! Bodies of requests as rules look at them: as text, as JSON, and what GraphQL, JSON-RPC and MCP say in it.

use std::borrow::Cow;

use serde_json::Value;

/// A body.
pub(super) struct Content<'a> {
    text: &'a [u8],
    /// What it is, if it is JSON.
    json: Option<Value>,
}

impl<'a> Content<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, json: serde_json::from_slice(text).ok() }
    }

    /// What a pointer names in it, as text; the whole body for the empty one. A number is written as JSON writes it.
    pub(super) fn at(&self, pointer: &str) -> Option<Cow<'_, [u8]>> {
        if pointer.is_empty() {
            return Some(Cow::Borrowed(self.text));
        }
        Some(match self.json.as_ref()?.pointer(pointer)? {
            Value::String(text) => Cow::Borrowed(text.as_bytes()),
            other => Cow::Owned(other.to_string().into_bytes()),
        })
    }

    /// The operations of GraphQL that it asks for (GraphQL over HTTP, section 5.4): one, or those of a batch. One without
    /// a name is empty.
    pub(super) fn operations(&self) -> impl Iterator<Item = &str> {
        self.calls().filter_map(|call| {
            let named = call.get("operationName").and_then(Value::as_str).filter(|name| !name.is_empty());
            let query = call.get("query").and_then(Value::as_str);
            named.or_else(|| query.map(|query| operation(query).unwrap_or_default()))
        })
    }

    /// The methods of JSON-RPC that it calls (JSON-RPC 2.0, section 4).
    pub(super) fn methods(&self) -> impl Iterator<Item = &str> {
        let calls = self.calls().filter(|call| call.get("jsonrpc").is_some());
        calls.filter_map(|call| call.get("method")?.as_str())
    }

    /// The tools of MCP that it calls (Model Context Protocol, "Calling Tools").
    pub(super) fn tools(&self) -> impl Iterator<Item = &str> {
        let calls = self.calls().filter(|call| call.get("method").and_then(Value::as_str) == Some("tools/call"));
        calls.filter_map(|call| call.get("params")?.get("name")?.as_str())
    }

    /// The objects in it: itself, or those of a list.
    fn calls(&self) -> impl Iterator<Item = &Value> {
        let list = self.json.as_ref().and_then(Value::as_array);
        let one = self.json.iter().filter(move |_| list.is_none());
        one.chain(list.into_iter().flatten())
    }
}

/// The name of the first operation of a document, if it has one.
fn operation(document: &str) -> Option<&str> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '(' | '{' | '@');
    let mut words = document.split(is_end).filter(|word| !word.is_empty());
    let first = words.next()?;
    let begins = document.trim_start().strip_prefix(first)?.trim_start();
    let is_named = ["query", "mutation", "subscription"].contains(&first) && !begins.starts_with(['{', '(', '@']);
    is_named.then(|| words.next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_in_a_body_alone_and_in_lists() {
        type Found<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str]);
        let table: [(&str, Found<'_>); 9] = [
            ("{\"query\":\"{ a }\"}", (&[""], &[], &[])),
            ("{\"query\":\"query Get($a: Int) { a }\"}", (&["Get"], &[], &[])),
            ("{\"query\":\"  mutation\\n Pay{ a }\"}", (&["Pay"], &[], &[])),
            ("{\"query\":\"query { a }\"}", (&[""], &[], &[])),
            ("{\"query\":\"query A { a } query B { b }\",\"operationName\":\"B\"}", (&["B"], &[], &[])),
            ("[{\"query\":\"query A { a }\"},{\"query\":\"query B { b }\"}]", (&["A", "B"], &[], &[])),
            ("{\"jsonrpc\":\"2.0\",\"method\":\"eth_call\"}", (&[], &["eth_call"], &[])),
            (
                "[{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"rm\"}},{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}]",
                (&[], &["tools/call", "ping"], &["rm"]),
            ),
            ("no json", (&[], &[], &[])),
        ];
        for (text, (operations, methods, tools)) in table {
            let content = Content::new(text.as_bytes());
            assert_eq!(content.operations().collect::<Vec<_>>(), operations, "{text}");
            assert_eq!(content.methods().collect::<Vec<_>>(), methods, "{text}");
            assert_eq!(content.tools().collect::<Vec<_>>(), tools, "{text}");
        }
        let content = Content::new(b"{\"a\":{\"b\":[1.50,\"x\"]}}");
        let at = |pointer| content.at(pointer).map(|text| String::from_utf8(text.into_owned()).unwrap());
        assert_eq!((at("/a/b/1").as_deref(), at("/a/b/2")), (Some("x"), None));
        assert_eq!(at("").unwrap().len(), 22);
    }
}
