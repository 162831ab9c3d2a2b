//! Every source file says what it is before it says anything else.

use super::tree::{Finding, Tree};

/// Files that others include, where a module's header is not allowed.
const INCLUDED: [&str; 2] = ["build.rs", "recipe.rs"];

/// Finds Rust files that do not start with `//!`.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let headless = tree.rust().filter(|file| !has_header(&file.path, &file.text));
    headless
        .map(|file| format!("{}:1: start with `//!`: what it is, what it deliberately does not do", file.path))
        .collect()
}

fn has_header(path: &str, text: &str) -> bool {
    let included = path.rsplit('/').next().is_some_and(|name| INCLUDED.contains(&name));
    text.starts_with("//! ") || (included && text.starts_with("// "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_header_is_found() {
        for (file, text, expect) in [
            ("a/src/b.rs", "use c;\n", 1),
            ("a/src/b.rs", "// B.\n", 1),
            ("a/src/b.rs", "//! B.\n", 0),
            ("a/build.rs", "// B.\n", 0),
            ("a/recipe.rs", "fn b() {}\n", 1),
        ] {
            assert_eq!(check(&Tree::from([(file, text)])).len(), expect, "{file}: {text}");
        }
    }
}
