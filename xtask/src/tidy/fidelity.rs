//! The table of fidelity: each test that a row names exists.

use super::tree::{Finding, Tree};

const TABLE: &str = "docs/fidelity.md";
/// A name in code with at least so many underscores is a test's: tests are sentences, and nothing else there is.
const WORDS: usize = 3;

/// Finds tests that the table names and nobody wrote.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(table) = tree.markdown().find(|file| file.path == TABLE) else { return Vec::new() };
    let mut findings = Vec::new();
    for (at, line) in table.text.lines().enumerate().filter(|(_, line)| line.starts_with('|')) {
        let missing = named(line).filter(|name| !exists(tree, name));
        findings.extend(missing.map(|name| format!("{TABLE}:{}: there is no test `{name}`", at + 1)));
    }
    findings
}

/// The tests that a row names.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|name| is_test(name))
}

fn is_test(name: &str) -> bool {
    name.matches('_').count() >= WORDS
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn exists(tree: &Tree, name: &str) -> bool {
    let definition = format!("fn {name}(");
    tree.rust().any(|file| file.text.contains(&definition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_nobody_wrote_is_found() {
        let table = "| frames | yes | `http2`: `frames_arrive_as_they_are`; `frames_of_another_kind_too` |\n";
        let tree = Tree::from([(TABLE, table), ("tests/suites/http2.rs", "fn frames_arrive_as_they_are() {}")]);
        assert_eq!(check(&tree), ["docs/fidelity.md:1: there is no test `frames_of_another_kind_too`"]);
    }
}
