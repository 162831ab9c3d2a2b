//! Words that say nothing, in the names of files, types, functions and modules. The glossary has the ones to use.

use super::rust::{code, words};
use super::tree::{Finding, Tree};

const EMPTY: [&str; 6] = ["manager", "helper", "helpers", "util", "utils", "impl"];
const KEYWORDS: [&str; 7] = ["struct", "enum", "trait", "fn", "mod", "type", "union"];

/// Finds names made of empty words, and public functions called `get_…`.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let stem = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        findings.extend(empty_word(stem).map(|word| format!("{}:1: `{word}` says nothing in a name", file.path)));
        for (number, line) in code(&file.text) {
            findings.extend(fault(&line).map(|fault| format!("{}:{number}: {fault}", file.path)));
        }
    }
    findings
}

fn fault(line: &str) -> Option<String> {
    let name = declared(line)?;
    if line.trim_start().starts_with("pub") && name.starts_with("get_") {
        return Some(format!("`{name}`: a function that returns a thing is called like the thing, without `get_`"));
    }
    empty_word(name).map(|word| format!("`{word}` in `{name}` says nothing"))
}

/// The name that a line declares.
fn declared(line: &str) -> Option<&str> {
    let mut words = words(line).skip_while(|word| !KEYWORDS.contains(word));
    let declares = line.trim_start().split([' ', '(']).next().is_some_and(|first| {
        first == "pub" || first == "async" || first == "const" || first == "unsafe" || KEYWORDS.contains(&first)
    });
    declares.then(|| words.nth(1)).flatten()
}

fn empty_word(name: &str) -> Option<String> {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake.split('_').find(|word| EMPTY.contains(word)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_words_are_found_in_names() {
        for (file, text, expect) in [
            ("a/src/b.rs", "pub struct FlowManager;", 1),
            ("a/src/b.rs", "    pub(crate) async fn dns_helper() {}", 1),
            ("a/src/b.rs", "mod utils;", 1),
            ("a/src/util.rs", "", 1),
            ("a/src/b.rs", "pub fn get_flow() {}", 1),
            ("a/src/b.rs", "    fn get_ref(&self) {}", 0),
            ("a/src/b.rs", "impl Flow {", 0),
            ("a/src/b.rs", "fn utility() {} // helper", 0),
            ("a/src/b.rs", "let manager = 1;", 0),
        ] {
            let findings = check(&Tree::from([(file, text)]));
            assert_eq!(findings.len(), expect, "{file}: {text}: {findings:?}");
        }
    }
}
