//! A file of packets as tshark(1) reads it, with the keys that are in the file, and with no others unless they are given;
//! and as its blocks are.

use std::collections::BTreeMap;
use std::fs;

use crate::process::{Output, Process};
use crate::scratch::{self, Scratch};
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
        // Two processors may let packets pass one another; by default tshark gives up on what is inside then.
        let options = ["-o", "tcp.reassemble_out_of_order:TRUE"].map(str::to_owned).to_vec();
        Self { file: file.to_owned(), scratch, options }
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

    /// One field of each packet, of a file that may end within a packet as yet.
    #[must_use]
    pub fn fields_so_far(&self, filter: &str, field: &str) -> Vec<String> {
        let output = self.run(&["-Y", filter, "-T", "fields", "-e", field]);
        output.stdout.lines().map(str::to_owned).collect()
    }

    /// The bodies of HTTP/1 messages, by the last part of their URLs.
    ///
    /// # Panics
    /// If tshark finds anything wrong with the file.
    #[must_use]
    pub fn http1_bodies(&self) -> BTreeMap<String, Vec<u8>> {
        let directory = self.scratch.file(&scratch::unique());
        self.run(&["-q", "--export-objects", &format!("http,{directory}")]).ok();
        let files = fs::read_dir(&directory).unwrap().map(Result::unwrap);
        let bodies = files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()));
        let bodies = bodies.collect();
        fs::remove_dir_all(directory).unwrap();
        bodies
    }

    /// The bodies of HTTP/2 messages, by the last part of their URLs. Of connections that had one request each.
    ///
    /// # Panics
    /// If tshark finds anything wrong with the file.
    #[must_use]
    pub fn http2_bodies(&self) -> BTreeMap<String, Vec<u8>> {
        let fields = ["tcp.stream", "http2.headers.path", "http2.data.data", "http2.body.reassembled.data"];
        let (mut names, mut bodies) = (BTreeMap::new(), BTreeMap::new());
        for packet in self.fields("http2", &fields) {
            let [stream, path, data, whole] = packet.try_into().unwrap();
            if let Some(name) = path.rsplit('/').next().filter(|name| !name.is_empty()) {
                names.insert(stream.clone(), name.to_owned());
            }
            // What came in a single frame is not put together.
            match (data.as_str(), whole.as_str()) {
                ("", _) => {}
                (data, "") => drop(bodies.entry(stream).or_insert_with(|| bytes(data.split('|').next().unwrap()))),
                (_, whole) => drop(bodies.insert(stream, bytes(whole))),
            }
        }
        bodies.into_iter().map(|(stream, body)| (names[&stream].clone(), body)).collect()
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = tools::command("tshark");
        // Nobody's preferences.
        command.env("WIRESHARK_CONFIG_DIR", self.scratch.path().join("no-preferences"));
        command.args(["-n", "-r", &self.file]).args(&self.options).args(args);
        Process::spawn(&mut command).finish_within(crate::lab::COMMAND)
    }
}

/// The bytes that hexadecimal digits stand for.
///
/// # Panics
/// If there are others.
#[must_use]
pub fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// The blocks of a pcapng file in little endian: type and body.
pub struct Blocks(Vec<(u32, Vec<u8>)>);

impl Blocks {
    /// Reads a file.
    ///
    /// # Panics
    /// If it ends within a block, or a block's two lengths differ.
    #[must_use]
    pub fn of(file: &str) -> Self {
        let bytes = fs::read(file).unwrap();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let (mut at, mut blocks) = (0, Vec::new());
        while at < bytes.len() {
            let length = word(at + 4) as usize;
            assert_eq!(word(at + length - 4) as usize, length, "the block at {at}");
            blocks.push((word(at), bytes[at + 8..at + length - 4].to_vec()));
            at += length;
        }
        Self(blocks)
    }

    fn count(&self, kind: u32) -> u64 {
        self.0.iter().filter(|(block, _)| *block == kind).count() as u64
    }

    /// How many sections there are.
    #[must_use]
    pub fn sections(&self) -> u64 {
        self.count(SECTION_HEADER)
    }

    /// How many sections were ended.
    #[must_use]
    pub fn ends(&self) -> u64 {
        self.count(INTERFACE_STATISTICS)
    }

    /// How many packets came by and how many were lost, as the last block says.
    ///
    /// # Panics
    /// If the last block says nothing of that.
    #[must_use]
    pub fn statistics(&self) -> (u64, u64) {
        let (kind, body) = self.0.last().unwrap();
        assert_eq!(*kind, INTERFACE_STATISTICS);
        let value = |code: u16| {
            // After interface and time, options of eight bytes each.
            let options = body[12..].chunks(12).find(|option| option[..2] == code.to_le_bytes());
            u64::from_le_bytes(options.unwrap()[4..].try_into().unwrap())
        };
        (value(4), value(5))
    }

    /// Asserts that the file has one section, and in it all packets that came by but for as many as were lost.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn assert_whole(&self, lost: u64) {
        assert_eq!((self.sections(), self.ends(), self.0[0].0), (1, 1, SECTION_HEADER));
        let (received, dropped) = self.statistics();
        assert_eq!((self.count(ENHANCED_PACKET) + lost, dropped), (received, lost));
    }
}
