//! A file of packets as tshark(1) reads it: with the keys that are in the file, and with no others unless they are given.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::process::{Output, Process};
use crate::scratch::Scratch;
use crate::tools;

/// Reads one file.
pub struct Tshark<'a> {
    file: String,
    scratch: &'a Scratch,
    options: Vec<String>,
}

impl<'a> Tshark<'a> {
    /// Reads `file`; what tshark makes goes into `scratch`.
    #[must_use]
    pub fn new(file: &str, scratch: &'a Scratch) -> Self {
        Self { file: file.to_owned(), scratch, options: Vec::new() }
    }

    /// With the keys in a file.
    #[must_use]
    pub fn keys(mut self, file: &str) -> Self {
        self.options.extend(["-o".to_owned(), format!("tls.keylog_file:{file}")]);
        self
    }

    /// The fields of each packet that the display filter lets through; what a packet has several of is separated by `|`.
    ///
    /// # Panics
    /// If tshark finds anything wrong with the file.
    #[must_use]
    pub fn fields(&self, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let names = fields.iter().flat_map(|field| ["-e", field]);
        let format = ["-Y", filter, "-T", "fields", "-E", "aggregator=|"].into_iter();
        let output = self.run(&format.chain(names).collect::<Vec<_>>());
        output.ok().lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    /// The bodies of HTTP messages, by the last part of their URLs and a number where there are several.
    ///
    /// # Panics
    /// If tshark finds anything wrong with the file.
    #[must_use]
    pub fn bodies(&self) -> BTreeMap<String, Vec<u8>> {
        let directory = self.scratch.file("objects");
        let export = format!("http,{directory}");
        self.run(&["-q", "--export-objects", &export]).ok();
        let files = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap());
        let bodies = files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect();
        fs::remove_dir_all(directory).unwrap();
        bodies
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = tools::command("tshark");
        // Nobody's preferences.
        command.env("WIRESHARK_CONFIG_DIR", self.scratch.path().join("no-preferences"));
        command.args(["-n", "-r", &self.file]).args(&self.options).args(args);
        Process::spawn(&mut command).finish_within(crate::lab::COMMAND)
    }
}

/// What capinfos would count, counted from the blocks themselves: their types in order.
///
/// # Panics
/// If the file ends within a block, or a block's two lengths differ.
#[must_use]
pub fn blocks(file: impl AsRef<Path>) -> Vec<(u32, Vec<u8>)> {
    let bytes = fs::read(file).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut blocks) = (0, Vec::new());
    while at < bytes.len() {
        let length = word(at + 4) as usize;
        assert_eq!(word(at + length - 4) as usize, length, "the block at {at}");
        blocks.push((word(at), bytes[at + 8..at + length - 4].to_vec()));
        at += length;
    }
    blocks
}
