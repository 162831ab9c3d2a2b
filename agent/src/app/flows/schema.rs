//! What is known of protocol buffers when exchanges are shown: what the user names, and what servers have said of
//! themselves in the capture.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::capture::read::{Capture, Filter};
use crate::engine::decode::protobuf::schema::{Schema, is_reflection};
use crate::engine::http::exchange::Direction;

/// How deep `.proto` files are looked for.
const DEPTH: usize = 16;
/// How many there may be.
const MAX_FILES: usize = 10_000;

/// What was typed to name schemas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schemas {
    /// `--proto`: folders of `.proto` files, which import one another from there.
    pub proto: Vec<PathBuf>,
    /// `--descriptors`: files that `protoc --descriptor_set_out` has written.
    pub descriptors: Vec<PathBuf>,
}

impl Schemas {
    /// All that is known.
    ///
    /// # Errors
    /// If something that was named cannot be read.
    pub(in crate::app) fn load(&self, capture: &Capture) -> anyhow::Result<Schema> {
        let mut schema = Schema::default();
        for path in &self.descriptors {
            let named = || format!("`--descriptors {}`", path.display());
            let set = fs::read(path).with_context(named)?;
            schema.add_descriptor_set(&set).with_context(named)?;
        }
        for folder in &self.proto {
            let named = || format!("`--proto {}`", folder.display());
            let mut sources = Vec::new();
            sources_in(folder, Path::new(""), DEPTH, &mut sources).with_context(named)?;
            if sources.is_empty() {
                bail!("{}: no file there is called `*.proto`", named());
            }
            schema.add_sources(&sources).with_context(named)?;
        }
        learn(capture, &mut schema)?;
        Ok(schema)
    }
}

/// Takes up what servers have answered to reflection.
fn learn(capture: &Capture, schema: &mut Schema) -> anyhow::Result<()> {
    let paths = vec!["*/grpc.reflection.v1*.ServerReflection/*".to_owned()];
    let asked = capture.outlines(&Filter { paths, ..Filter::default() }, super::ALL)?;
    for outline in asked.iter().filter(|outline| is_reflection(&outline.path)) {
        let messages = capture.messages(outline.id)?;
        for message in messages.iter().filter(|message| message.direction == Direction::Response) {
            schema.learn(&message.payload);
        }
    }
    Ok(())
}

/// Names and texts of the `.proto` files in `folder`; `name` is what it is called in imports.
fn sources_in(folder: &Path, name: &Path, depth: usize, sources: &mut Vec<(String, String)>) -> std::io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), name.join(entry.file_name()));
        if path.is_dir() && depth > 0 {
            sources_in(&path, &name, depth - 1, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") && sources.len() < MAX_FILES {
            sources.push((name.to_string_lossy().into_owned(), fs::read_to_string(&path)?));
        }
    }
    Ok(())
}
