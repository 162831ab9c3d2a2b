//! As much of Rust's syntax as the checks need: which lines are code, which words they hold, which paths they name.
//! Strings and comments are told apart by what rustfmt makes of them, not by a full lexer.

/// The text of a file up to its tests, which come last.
pub(super) fn without_tests(text: &str) -> &str {
    let marker = "#[cfg(test)]\nmod ";
    let end = if text.starts_with(marker) { Some(0) } else { text.find(&format!("\n{marker}")).map(|at| at + 1) };
    // `mod tests;` names a file of tests; the code goes on after it only where the file breaks the order.
    &text[..end.unwrap_or(text.len())]
}

/// Whether a file is all tests.
pub(super) fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The lines of code with their numbers, without comments and without the contents of string literals.
pub(super) fn code(text: &str) -> impl Iterator<Item = (usize, String)> {
    without_tests(text).lines().enumerate().map(|(at, line)| (at + 1, strip(line)))
}

/// The identifiers of a line.
pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The paths that the code names, as their segments, with line numbers; the trees of `use` are spread out.
pub(super) fn paths(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut paths = Vec::new();
    let mut statement: Option<(usize, String)> = None;
    for (number, line) in code(text) {
        let (start, joined) = statement.take().map_or_else(
            || (number, line.clone()),
            |(start, mut joined)| {
                joined.push_str(&line);
                (start, joined)
            },
        );
        match use_tree(&joined) {
            Some(_) if !joined.contains(';') => statement = Some((start, joined)),
            Some(tree) => paths.extend(spread(tree.split(';').next().unwrap_or(tree)).map(|path| (start, path))),
            None => paths.extend(inline(&line).map(|path| (number, path))),
        }
    }
    paths
}

fn use_tree(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let after_visibility = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
        Some(rest) => rest,
        None => line,
    };
    after_visibility.trim_start().strip_prefix("use ")
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn spread(tree: &str) -> impl Iterator<Item = Vec<String>> {
    let (mut prefix, mut stack, mut paths) = (Vec::new(), Vec::new(), Vec::new());
    let mut word = String::new();
    for c in tree.chars().chain([',']) {
        match c {
            '{' => stack.push(prefix.clone()),
            ',' | '}' => {
                let mut path: Vec<String> = prefix.clone();
                path.extend(word.split_whitespace().next().map(str::to_owned));
                if !word.trim().is_empty() {
                    paths.push(path);
                }
                word.clear();
                prefix = stack.last().cloned().unwrap_or_default();
                if c == '}' {
                    stack.pop();
                    prefix = stack.last().cloned().unwrap_or_default();
                }
            }
            ':' if !word.trim().is_empty() => prefix.push(std::mem::take(&mut word).trim().to_owned()),
            ':' => {}
            _ => word.push(c),
        }
    }
    paths.into_iter()
}

fn inline(line: &str) -> impl Iterator<Item = Vec<String>> {
    let pieces = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    let paths = pieces.filter(|piece| piece.contains("::"));
    paths.map(|path| path.split("::").filter(|segment| !segment.is_empty()).map(str::to_owned).collect())
}

fn strip(line: &str) -> String {
    let (mut code, mut in_string, mut chars) = (String::new(), false, line.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '/' if !in_string && chars.peek() == Some(&'/') => break,
            '\\' if in_string => _ = chars.next(),
            // A character literal of a quote is no string.
            '\'' if !in_string && chars.peek() == Some(&'"') => _ = chars.next(),
            '"' => {
                in_string = !in_string;
                code.push(c);
            }
            _ if in_string => {}
            _ => code.push(c),
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_come_off_the_end() {
        assert_eq!(without_tests("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n"), "fn a() {}\n\n");
        assert_eq!(without_tests("#[cfg(test)]\nfn a() {}\n"), "#[cfg(test)]\nfn a() {}\n");
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        for (line, expect) in [
            ("let a = 1; // aya::b", "let a = 1; "),
            (r#"say("aya::b \" // c", d);"#, r#"say("", d);"#),
            (r#"'"' => aya::b,"#, "' => aya::b,"),
            ("//! aya::b", ""),
        ] {
            assert_eq!(strip(line), expect, "{line}");
        }
    }

    #[test]
    fn every_path_is_found() {
        let text = "use std::{fs, net::{IpAddr, TcpStream as T}};\npub(crate) use a::b;\nuse c::{\n    d,\n    e::f,\n};\n\
                    fn g() -> h::I { std::env::var(j::k) }\n";
        let found: Vec<_> = paths(text).into_iter().map(|(line, path)| format!("{line} {}", path.join("::"))).collect();
        let expect = [
            "1 std::fs",
            "1 std::net::IpAddr",
            "1 std::net::TcpStream",
            "2 a::b",
            "3 c::d",
            "3 c::e::f",
            "7 h::I",
            "7 std::env::var",
            "7 j::k",
        ];
        assert_eq!(found, expect);
    }
}
