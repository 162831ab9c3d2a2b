//! The rules of the source tree that no other tool knows: who may import whom, where unsafe code and the environment
//! are used, sizes, headers, names, documents. Each rule is a pure function over a [`Tree`].

mod bypass;
mod docs;
mod fidelity;
mod headers;
mod imports;
mod names;
mod root;
mod rust;
mod sizes;
mod tree;
mod unsafety;

use anyhow::{Result, bail};

use crate::shell::{say, workspace};
use tree::{Finding, Tree};

const CHECKS: [fn(&Tree) -> Vec<Finding>; 10] = [
    root::check,
    headers::check,
    sizes::check,
    imports::check,
    unsafety::check,
    names::check,
    docs::index,
    docs::links,
    fidelity::check,
    bypass::check,
];

/// Checks the workspace; prints every finding and fails if there is one.
pub(crate) fn tidy() -> Result<()> {
    let findings = findings(&Tree::read(workspace())?);
    for finding in &findings {
        say(finding);
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("tidy: {count} findings"),
    }
}

fn findings(tree: &Tree) -> Vec<Finding> {
    CHECKS.iter().flat_map(|check| check(tree)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_tree_is_tidy() {
        let findings = findings(&Tree::read(workspace()).unwrap());
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }
}
