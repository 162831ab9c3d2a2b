//! The source tree as values, so that a check can be shown a bad one.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// What is wrong and where: `path:line: what`.
pub(super) type Finding = String;

/// A source tree.
#[derive(Default)]
pub(super) struct Tree {
    /// Names in the root folder.
    pub(super) root: Vec<String>,
    /// Every file, by path.
    pub(super) files: Vec<File>,
}

/// A file.
pub(super) struct File {
    /// Relative to the root folder, with slashes.
    pub(super) path: String,
    /// Empty unless it is Rust or Markdown.
    pub(super) text: String,
}

impl Tree {
    /// Reads the tree below `root`, without what is built and what git keeps.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self { root: names(root)?, files: Vec::new() };
        tree.root.sort();
        tree.descend(root, "")?;
        Ok(tree)
    }

    /// The Rust files.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The Markdown files.
    pub(super) fn markdown(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".md"))
    }

    fn descend(&mut self, root: &Path, folder: &str) -> Result<()> {
        let mut names = names(&root.join(folder))?;
        names.sort();
        for name in names.iter().filter(|name| *name != "target" && *name != ".git") {
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let on_disk = root.join(&path);
            if on_disk.is_dir() {
                self.descend(root, &path)?;
                continue;
            }
            let is_source = path.ends_with(".rs") || path.ends_with(".md");
            let text =
                if is_source { fs::read_to_string(&on_disk).with_context(|| path.clone())? } else { String::new() };
            self.files.push(File { path, text });
        }
        Ok(())
    }
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// A tree of one file, or of several, to try a check on.
#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Tree {
    fn from(files: [(&str, &str); N]) -> Self {
        let file = |(path, text): (&str, &str)| File { path: path.to_owned(), text: text.to_owned() };
        Self { root: Vec::new(), files: files.map(file).into() }
    }
}
