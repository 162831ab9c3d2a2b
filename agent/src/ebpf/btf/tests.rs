//! The reader of BTF against types that are written here by hand.

use super::{Btf, HEADER, Sections};

/// Writes BTF: types one after another, names as they come.
#[derive(Default)]
struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
}

impl Writer {
    fn new() -> Self {
        Self { types: Vec::new(), strings: vec![0] }
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = u32::try_from(self.strings.len()).unwrap();
        self.strings.extend(name.as_bytes());
        self.strings.push(0);
        at
    }

    fn words(&mut self, words: &[u32]) {
        self.types.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    }

    fn plain(mut self, kind: u32, name: &str, members: u32, other: u32, rest: &[u32]) -> Self {
        let name = self.name(name);
        self.words(&[name, kind << 24 | members, other]);
        self.words(rest);
        self
    }

    /// A structure (4) or union (5); members are name, type and offset in bits.
    fn structure(mut self, kind: u32, name: &str, members: &[(&str, u32, u32)]) -> Self {
        let name = self.name(name);
        self.words(&[name, kind << 24 | u32::try_from(members.len()).unwrap(), 64]);
        for (name, type_number, bits) in members {
            let name = self.name(name);
            self.words(&[name, *type_number, *bits]);
        }
        self
    }

    fn finish(self) -> (Vec<u8>, Vec<u8>) {
        (self.types, self.strings)
    }
}

/// One type of every kind, and structures behind them.
fn sample() -> (Vec<u8>, Vec<u8>) {
    Writer::new()
        .plain(1, "int", 0, 4, &[0x0100_0020]) // 1
        .plain(2, "", 0, 1, &[]) // 2: pointer
        .plain(3, "", 0, 0, &[1, 1, 8]) // 3: array
        .plain(6, "colour", 2, 4, &[0, 0, 0, 1]) // 4: enum
        .plain(7, "elsewhere", 0, 0, &[]) // 5: forward
        .plain(13, "", 2, 1, &[0, 1, 0, 2]) // 6: function prototype
        .plain(12, "call", 0, 6, &[]) // 7: function
        .plain(14, "global", 0, 1, &[1]) // 8: variable
        .plain(15, ".data", 1, 4, &[8, 0, 4]) // 9: section
        .plain(16, "float", 0, 4, &[]) // 10
        .plain(17, "tag", 0, 8, &[0]) // 11: declaration tag
        .plain(19, "wide", 1, 8, &[0, 0, 0]) // 12: enum of 64 bits
        .structure(4, "path", &[("mnt", 2, 0), ("dentry", 2, 64)]) // 13
        .plain(10, "", 0, 13, &[]) // 14: const
        .structure(5, "", &[("f_path", 14, 0), ("__f_path", 13, 0)]) // 15
        .plain(8, "path_t", 0, 13, &[]) // 16: typedef
        .structure(4, "file", &[("f_mode", 1, 0)]) // 17: another of the name
        .structure(4, "file", &[("f_mode", 1, 0), ("", 15, 128), ("other", 16, 256)]) // 18
        .finish()
}

#[test]
fn fields_are_found_in_structures_unions_and_behind_names() {
    let (types, strings) = sample();
    let btf = Btf::new(&types, &strings);
    let check = |structure: &str, path: &[&str], expect: Option<u32>| {
        assert_eq!(btf.offset(structure, path), expect, "{structure} {path:?}");
    };
    check("path", &["dentry"], Some(8));
    check("file", &["f_mode"], Some(0));
    check("file", &["f_path"], Some(16));
    check("file", &["f_path", "dentry"], Some(24));
    check("file", &["other", "dentry"], Some(40));
    check("file", &["f_path", "nothing"], None);
    check("file", &["f_mode", "mnt"], None);
    check("fil", &["f_mode"], None);
    check("file", &[], None);
    check("int", &["f_mode"], None);
}

#[test]
fn an_offset_beside_a_bit_fields_size_is_read_without_it() {
    let sized = 3 << 24 | 64;
    let writer = Writer::new().plain(1, "int", 0, 4, &[0x0100_0020]);
    let (mut types, strings) = writer.structure(4, "bits", &[("field", 1, sized)]).finish();
    // The second type's information word: the flag that offsets carry sizes.
    types[16 + 7] |= 0x80;
    assert_eq!(Btf::new(&types, &strings).offset("bits", &["field"]), Some(8));
}

#[test]
fn a_header_says_where_types_and_names_are() {
    let words = [24_u32, 8, 100, 108, 50].map(u32::to_ne_bytes).concat();
    let magic = 0xeb9f_u16.to_ne_bytes();
    let header: [u8; HEADER] = [&magic[..], &[1, 0], &words].concat().try_into().unwrap();
    let sections = Sections::parse(&header).unwrap();
    assert_eq!((sections.types, sections.strings), (32..132, 132..182));
    let foreign: [u8; HEADER] = [&magic.map(|byte| !byte)[..], &[1, 0], &words].concat().try_into().unwrap();
    assert!(Sections::parse(&foreign).is_none());
}

#[test]
fn what_is_cut_off_or_broken_does_no_harm() {
    let (types, strings) = sample();
    let path = ["f_path", "dentry"];
    for len in 0..types.len() {
        // All that is looked for comes before the last member of the last structure.
        assert_eq!(Btf::new(&types[..len], &strings).offset("file", &path), None, "{len}");
        assert!(Btf::new(&types, &strings[..len.min(strings.len() - 1)]).offset("file", &["nothing"]).is_none());
    }
    for at in 0..types.len() {
        let mut types = types.clone();
        types[at] ^= 0xff;
        let _anything = Btf::new(&types, &strings).offset("file", &path);
    }
    let (unknown, strings) = Writer::new().plain(25, "new", 0, 0, &[]).structure(4, "s", &[("a", 1, 0)]).finish();
    assert_eq!(Btf::new(&unknown, &strings).offset("s", &["a"]), None);
    // A type that refers to itself.
    let cycle = Writer::new().plain(8, "t", 0, 1, &[]).structure(4, "s", &[("a", 1, 0), ("", 2, 0)]).finish();
    let btf = Btf::new(&cycle.0, &cycle.1);
    assert_eq!((btf.offset("s", &["a", "b"]), btf.offset("s", &["c"])), (None, None));
}
