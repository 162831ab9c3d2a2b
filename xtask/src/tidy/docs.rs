//! Documents: links lead somewhere, and every decision is in the index of decisions. Links to the web are not followed.

use super::tree::{File, Finding, Tree};

const ADRS: &str = "docs/adr/";

/// Finds decisions that the index does not link.
pub(super) fn index(tree: &Tree) -> Vec<Finding> {
    let index = tree.markdown().find(|file| file.path == "docs/adr/README.md").map_or("", |file| file.text.as_str());
    let linked: Vec<&str> = targets(index).map(|(_, target)| target).collect();
    let records = tree.markdown().filter_map(|file| file.path.strip_prefix(ADRS)).filter(|name| is_record(name));
    let missing = records.filter(|name| !linked.contains(name));
    missing.map(|name| format!("{ADRS}README.md:1: does not link {name}")).collect()
}

/// Finds relative links that lead nowhere.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.markdown() {
        for (line, target) in targets(&file.text).filter(|(_, target)| is_relative(target)) {
            if !leads_somewhere(tree, file, target) {
                findings.push(format!("{}:{line}: dead link {target}", file.path));
            }
        }
    }
    findings
}

/// `NNNN-title.md`
fn is_record(name: &str) -> bool {
    name.split_once('-')
        .is_some_and(|(number, _)| number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What a document links, with line numbers; fenced code is not looked at.
fn targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    let prose = text.lines().enumerate().filter(move |(_, line)| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced
    });
    prose.flat_map(|(at, line)| {
        let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        links.map(move |target| (at + 1, target))
    })
}

fn is_relative(target: &str) -> bool {
    !target.contains("://") && !target.starts_with("mailto:") && !target.starts_with('#')
}

fn leads_somewhere(tree: &Tree, from: &File, target: &str) -> bool {
    let target = target.split('#').next().unwrap_or_default();
    let mut path: Vec<&str> = from.path.split('/').collect();
    path.pop();
    for segment in target.split('/') {
        match segment {
            "" | "." => {}
            ".." if path.pop().is_none() => return false,
            ".." => {}
            name => path.push(name),
        }
    }
    let path = path.join("/");
    let is_or_holds =
        |file: &File| file.path.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path.is_empty() || tree.files.iter().any(is_or_holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_outside_the_index_is_found() {
        let records = [("docs/adr/0001-a.md", ""), ("docs/adr/0002-b.md", ""), ("docs/adr/template.md", "")];
        let [a, b, template] = records;
        let tree = Tree::from([a, b, template, ("docs/adr/README.md", "- [a](0001-a.md)")]);
        assert_eq!(index(&tree), ["docs/adr/README.md:1: does not link 0002-b.md"]);
        assert_eq!(index(&Tree::from([a])).len(), 1, "no index at all");
    }

    #[test]
    fn a_dead_link_is_found() {
        for (text, expect) in [
            ("[a](b.md)", 0),
            ("[a](../docs/b.md#c) and [a](..)", 0),
            ("[a](../README.md)", 1),
            ("[a](../../x)", 1),
            ("[a](https://a.example/b) [c](#d) [e](mailto:f)", 0),
            ("```\n[a](c.md)\n```\n[a](c.md \"title\")", 1),
        ] {
            let findings = links(&Tree::from([("docs/a.md", text), ("docs/b.md", "")]));
            assert_eq!(findings.len(), expect, "{text}: {findings:?}");
        }
    }
}
