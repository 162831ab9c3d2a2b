//! Every attempt of `agent bypass-test` is a file and has a row in docs/bypass.md, and every row an attempt.

use std::collections::BTreeSet;

use super::tree::{Finding, Tree};

const VECTORS: &str = "agent/src/bypass/vectors/";
const DOCUMENT: &str = "docs/bypass.md";

/// Finds attempts without a row, rows without an attempt, and files that are not named after theirs.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tried = BTreeSet::new();
    for file in tree.rust() {
        let Some(name) = file.path.strip_prefix(VECTORS).filter(|name| *name != "mod.rs") else { continue };
        let id = file.text.lines().find_map(|line| line.trim().strip_prefix("id: \"")?.strip_suffix("\","));
        match id {
            Some(id) if format!("{}.rs", id.replace('-', "_")) == name => drop(tried.insert(id)),
            Some(id) => {
                findings.push(format!("{}:1: is not named after its attempt {id}", file.path));
                tried.insert(id);
            }
            None => findings.push(format!("{}:1: has no attempt", file.path)),
        }
    }
    let document = tree.markdown().find(|file| file.path == DOCUMENT).map_or("", |file| file.text.as_str());
    let rows: BTreeSet<&str> = document.lines().filter_map(row).collect();
    findings.extend(tried.difference(&rows).map(|id| format!("{DOCUMENT}:1: has no row for {id}")));
    findings.extend(rows.difference(&tried).map(|id| format!("{DOCUMENT}:1: {id} is no attempt")));
    findings
}

/// The first cell of a line of the table with six columns.
fn row(line: &str) -> Option<&str> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    (cells.len() == 6 && cells[0] != "vector").then(|| cells[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_and_rows_are_compared() {
        let file = ("agent/src/bypass/vectors/raw_connect.rs", "    id: \"raw-connect\",\n");
        let head = "| vector | what is tried | as | result | stopped by | reported as |\n|---|---|---|---|---|---|\n";
        let table = |id: &str| format!("{head}| {id} | a | b | c | d | e |\n| x | y |\n");
        let (good, bad) = (table("raw-connect"), table("other"));
        let both = |document| Tree::from([file, (DOCUMENT, document)]);
        for (tree, expect) in [
            (both(good.as_str()), 0),
            (both(bad.as_str()), 2),
            (Tree::from([file]), 1),
            (Tree::from([("agent/src/bypass/vectors/quic.rs", file.1)]), 2),
            (Tree::from([("agent/src/bypass/vectors/quic.rs", "")]), 1),
        ] {
            let findings = check(&tree);
            assert_eq!(findings.len(), expect, "{findings:?}");
        }
    }
}
