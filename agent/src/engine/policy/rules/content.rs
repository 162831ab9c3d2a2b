//! Bodies of requests as rules look at them: as text, as JSON, and what GraphQL, JSON-RPC and MCP say in it.

use std::borrow::Cow;

use serde_json::Value;

use super::graphql::operations;

/// A body.
pub(super) struct Content<'a> {
    text: &'a [u8],
    /// What it is, if it is JSON.
    json: Option<Value>,
    /// A request of GraphQL that is not JSON: in the URL, or the document itself.
    graphql: Vec<Value>,
}

impl<'a> Content<'a> {
    pub(super) fn new(text: &'a [u8], graphql: Vec<Value>) -> Self {
        Self { text, json: serde_json::from_slice(text).ok(), graphql }
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

    /// The operations of GraphQL that it asks for (GraphQL over HTTP, section 5.4), one, or those of a batch; none for
    /// what is no request of it. One without a name is empty.
    pub(super) fn operations(&self) -> impl Iterator<Item = Option<&str>> {
        self.calls().chain(&self.graphql).flat_map(|call| {
            let named = call.get("operationName").and_then(Value::as_str).filter(|name| !name.is_empty());
            let mut found = call.get("query").and_then(Value::as_str).map(operations).unwrap_or_default();
            if let Some(named) = named {
                // A document that does not have it is not as it was read, and may do all of it.
                if found.contains(&named) {
                    found.clear();
                }
                found.push(named);
            }
            let is_none = found.is_empty().then_some(None);
            found.into_iter().map(Some).chain(is_none)
        })
    }

    /// The methods of JSON-RPC that it calls (JSON-RPC 2.0, section 4); none for what is no call.
    pub(super) fn methods(&self) -> impl Iterator<Item = Option<&str>> {
        self.calls().map(|call| call.get("jsonrpc").and_then(|_| call.get("method")?.as_str()))
    }

    /// The tools of MCP that it calls (Model Context Protocol, "Calling Tools"); none for another call.
    pub(super) fn tools(&self) -> impl Iterator<Item = Option<&str>> {
        self.calls().map(|call| {
            let is_tool = call.get("method").and_then(Value::as_str) == Some("tools/call");
            call.get("params").filter(|_| is_tool)?.get("name")?.as_str()
        })
    }

    /// The objects in it: itself, or those of a list.
    fn calls(&self) -> impl Iterator<Item = &Value> {
        let list = self.json.as_ref().and_then(Value::as_array);
        let one = self.json.iter().filter(move |_| list.is_none());
        one.chain(list.into_iter().flatten())
    }
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
            let content = Content::new(text.as_bytes(), Vec::new());
            assert_eq!(content.operations().flatten().collect::<Vec<_>>(), operations, "{text}");
            assert_eq!(content.methods().flatten().collect::<Vec<_>>(), methods, "{text}");
            assert_eq!(content.tools().flatten().collect::<Vec<_>>(), tools, "{text}");
        }
        let content = Content::new(b"{\"a\":{\"b\":[1.50,\"x\"]}}", Vec::new());
        let at = |pointer| content.at(pointer).map(|text| String::from_utf8(text.into_owned()).unwrap());
        assert_eq!((at("/a/b/1").as_deref(), at("/a/b/2")), (Some("x"), None));
        assert_eq!(at("").unwrap().len(), 22);
    }
}
