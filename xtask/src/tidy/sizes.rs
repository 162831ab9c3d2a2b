//! A file that has grown too long is two files. Clippy stops functions; this stops files.

use super::rust::{is_test, without_tests};
use super::tree::{Finding, Tree};

/// Lines of a file without its tests.
const CODE: usize = 600;
/// Lines of a file of tests.
const TESTS: usize = 800;

/// Finds files that are too long.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().filter_map(|file| too_long(&file.path, &file.text)).collect()
}

fn too_long(path: &str, text: &str) -> Option<Finding> {
    let (text, limit) = if is_test(path) { (text, TESTS) } else { (without_tests(text), CODE) };
    let lines = text.lines().count();
    (lines > limit).then(|| format!("{path}:{lines}: longer than {limit} lines; split it by purpose"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let tests = "#[cfg(test)]\nmod tests {}\n";
        for (path, lines, expect) in [
            ("a/b.rs", CODE, false),
            ("a/b.rs", CODE + 1, true),
            ("a/b/tests.rs", CODE + 1, false),
            ("a/b/tests.rs", TESTS + 1, true),
        ] {
            let text = "\n".repeat(lines) + if path.ends_with("tests.rs") { "" } else { tests };
            assert_eq!(!check(&Tree::from([(path, text.as_str())])).is_empty(), expect, "{path} {lines}");
        }
    }
}
