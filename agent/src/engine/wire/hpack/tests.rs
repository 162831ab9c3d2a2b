//! The examples of RFC 7541 appendix C, and what must be refused.

use super::*;
use crate::engine::dice::Dice;

fn decoded(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(String, String)>, Invalid> {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    Ok(decoder.decode(block)?.iter().map(|field| (text(&field.name), text(&field.value))).collect())
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

type Block<'a> = (&'a str, &'a [(&'a str, &'a str)]);

/// Appendix C.3 and C.4: the same requests, without and with Huffman code.
const REQUESTS: [[&str; 3]; 2] = [
    [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
    [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
];

#[test]
fn requests_of_the_rfc_decode() {
    let expected: [&[(&str, &str)]; 3] = [
        &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")],
        &[
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "www.example.com"),
            ("cache-control", "no-cache"),
        ],
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/index.html"),
            (":authority", "www.example.com"),
            ("custom-key", "custom-value"),
        ],
    ];
    for blocks in REQUESTS {
        let mut decoder = Decoder::new(4096);
        for (block, expected) in blocks.iter().zip(expected) {
            let expected: Vec<_> = expected.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            assert_eq!(decoded(&mut decoder, &hex(block)), Ok(expected));
        }
    }
}

#[test]
fn a_small_table_forgets_what_the_rfc_says_it_forgets() {
    // Appendix C.5, with a table of 256 bytes.
    let blocks: [Block<'_>; 3] = [
        (
            "3fe1 01 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 \
             3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            &[
                (":status", "302"),
                ("cache-control", "private"),
                ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
                ("location", "https://www.example.com"),
            ],
        ),
        (
            "4803 3330 37c1 c0bf",
            &[
                (":status", "307"),
                ("cache-control", "private"),
                ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
                ("location", "https://www.example.com"),
            ],
        ),
        ("bf", &[("cache-control", "private")]),
    ];
    let mut decoder = Decoder::new(4096);
    for (block, expected) in &blocks[..2] {
        let expected: Vec<_> = expected.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        assert_eq!(decoded(&mut decoder, &hex(block)), Ok(expected));
    }
    // `:status: 302` was evicted to make room: nothing is left behind the four.
    assert!(decoded(&mut decoder, &hex("c2")).is_err());
}

#[test]
fn what_is_no_block_is_refused() {
    let table = [
        ("80", "index zero"),
        ("be", "an empty table"),
        ("7f", "an index that is cut"),
        ("7fff ffff ff7f", "an index without end"),
        ("0003 6162", "a name that is cut"),
        ("0001 61", "no value"),
        ("8220", "a table size after a field"),
        ("3fe2 1f", "a table that is larger than allowed"),
        ("0081 ff", "a Huffman code that is none"),
    ];
    for (block, why) in table {
        assert!(Decoder::new(4096).decode(&hex(block)).is_err(), "{why}");
    }
}

#[test]
fn a_block_that_decodes_to_too_much_is_refused() {
    let mut decoder = Decoder::new(200);
    // Two references to one large field.
    let mut block = vec![0x40, 1, b'a', 100];
    block.extend([b'x'; 100]);
    assert_eq!(decoder.decode(&block).unwrap().len(), 1);
    assert!(decoder.decode(&[0xbe, 0xbe]).is_err());
}

#[test]
fn a_larger_table_may_be_used_when_it_is_allowed() {
    let mut decoder = Decoder::new(4096);
    let block = [&[0x3f, 0xe1, 0x3f][..], &[0x82]].concat();
    assert!(decoder.decode(&block).is_err());
    decoder.allow(65_536);
    assert_eq!(decoder.decode(&block).unwrap().len(), 1);
}

#[test]
fn what_is_encoded_decodes_to_the_same_and_changes_no_table() {
    let long = "v".repeat(5000);
    let fields = [
        Field::new(":status", "403"),
        Field::new("x", long),
        Field { sensitive: true, ..Field::new("authorization", "secret") },
        Field::new("empty", ""),
    ];
    let mut block = Vec::new();
    encode_size(0, &mut block);
    encode(&fields, &mut block);
    let mut decoder = Decoder::new(8192);
    assert_eq!(decoder.decode(&block).unwrap(), fields);
    assert!(decoder.decode(&[0xbe]).is_err());
}

#[test]
fn whatever_is_encoded_decodes_to_the_same() {
    let mut dice = Dice(1);
    let mut decoder = Decoder::new(1 << 20);
    for _ in 0..500 {
        let mut fields = Vec::new();
        for _ in 0..dice.below(20) {
            let longest = if dice.below(50) == 0 { 40_000 } else { 300 };
            let (name, value) = (dice.bytes(300), dice.bytes(longest));
            fields.push(Field { sensitive: dice.below(2) == 0, ..Field::new(name, value) });
        }
        let mut block = Vec::new();
        encode(&fields, &mut block);
        assert_eq!(decoder.decode(&block).unwrap(), fields);
    }
}
