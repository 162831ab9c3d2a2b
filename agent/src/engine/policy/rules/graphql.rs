//! What a document of GraphQL asks for (GraphQL, October 2021, section 2).

/// The names of the operations in `document`, empty for one without. What is no document has none.
#[must_use]
pub(super) fn operations(document: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut definition = Definition::None;
    let mut rest = document;
    while let Some(token) = next(&mut rest) {
        let begins = token.starts_with(['{', '(', '[']);
        let ends = token.starts_with(['}', ')', ']']);
        if depth == 0 && !ends {
            let is_name = token.starts_with(|c: char| c.is_alphabetic() || c == '_');
            definition = match (definition, token) {
                (Definition::None, "query" | "mutation" | "subscription") => Definition::Unnamed,
                (Definition::Unnamed, name) if is_name => {
                    found.push(name);
                    Definition::Other
                }
                (Definition::None, "{") | (Definition::Unnamed, _) => {
                    found.push("");
                    Definition::Other
                }
                (Definition::None | Definition::Other, _) => Definition::Other,
            };
        }
        if begins {
            depth += 1;
        } else if ends {
            depth = depth.saturating_sub(1);
            if depth == 0 && token == "}" {
                definition = Definition::None;
            }
        }
    }
    found
}

/// What was read of a definition at the top of a document.
#[derive(Clone, Copy)]
enum Definition {
    /// Nothing.
    None,
    /// That it is an operation; its name may follow.
    Unnamed,
    /// More, or it is no operation.
    Other,
}

/// The next token, without white space, commas and comments. Characters of no name are tokens of one each.
fn next<'a>(rest: &mut &'a str) -> Option<&'a str> {
    loop {
        *rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',' || c == '\u{feff}');
        if !rest.starts_with('#') {
            break;
        }
        *rest = rest.find(['\n', '\r']).map_or("", |end| &rest[end..]);
    }
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let first = rest.chars().next()?;
    let length = match first {
        '"' => text(rest),
        c if is_name(c) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
        other => other.len_utf8(),
    };
    let (token, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(token)
}

/// Bytes of the string that `text` begins with, of either kind (section 2.9.4).
fn text(text: &str) -> usize {
    let (quote, is_block) = if text.starts_with("\"\"\"") { ("\"\"\"", true) } else { ("\"", false) };
    let mut at = quote.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(quote) {
            return at + quote.len();
        }
        let escape = if is_block { "\\\"\"\"" } else { "\\" };
        at += match rest.strip_prefix(escape) {
            Some(_) if is_block => escape.len(),
            Some(escaped) => 1 + escaped.chars().next().map_or(0, char::len_utf8),
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_wherever_they_are_in_a_document() {
        for (document, expect) in [
            ("{ a }", &[""][..]),
            ("query Get($a: In = {x: [1]}) @d(a: {b: 1}) { a }", &["Get"]),
            ("  mutation\n Pay{ a }", &["Pay"]),
            ("query { a }", &[""]),
            ("query ($a: Int) { a }", &[""]),
            ("query @d { a }", &[""]),
            ("query A { query } mutation B { b(t: \"} mutation C {\") }", &["A", "B"]),
            ("# mutation No { a }\r\nmutation Pay { a }", &["Pay"]),
            ("fragment F on T { query } mutation Pay { ...F }", &["Pay"]),
            ("query A { a(t: \"\"\" \\\"\"\" } \"\"\") } { b }", &["A", ""]),
            ("query A { a(t: \"\\\" } \") } subscription,S { b }", &["A", "S"]),
            ("\u{feff},query A { a", &["A"]),
            ("", &[]),
            ("no document", &[]),
            ("\"", &[]),
            ("}}}} query A { é }", &["A"]),
        ] {
            assert_eq!(operations(document), expect, "{document}");
        }
    }
}
