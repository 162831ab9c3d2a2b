//! Tests of content codings.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;
use crate::engine::dice::Dice;

const PLAIN: &[u8] = b"hello hello hello, brotli";
const LIMIT: usize = 1 << 20;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn bare(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(plain, 19).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// [`PLAIN`] as node's zlib compresses it.
fn brotli() -> Vec<u8> {
    unhex("0b 0c 80 68 65 6c 6c 6f 20 68 65 6c 6c 6f 20 68 65 6c 6c 6f 2c 20 62 72 6f 74 6c 69 03")
}

fn gzip_with_all_fields(plain: &[u8]) -> Vec<u8> {
    let bytes = gzip(plain);
    let head = b"\x1f\x8b\x08\x1f\0\0\0\0\0\xff\x03\0abcname\0comment\0\x12\x34";
    [head.as_slice(), &bytes[10..]].concat()
}

fn unpack(codings: &[Coding], packed: &[u8], piece: usize, limit: usize) -> (Vec<u8>, Result<(), Invalid>) {
    let (mut unpacker, mut out) = (Unpacker::new(codings, limit), Vec::new());
    let fed = packed.chunks(piece).try_for_each(|piece| unpacker.feed(piece, &mut out));
    let finished = unpacker.finish();
    (out, fed.and(finished))
}

#[test]
fn each_coding_is_undone_in_pieces_of_any_size() {
    use Coding::{Brotli, Deflate, Gzip, Identity, Zstandard};
    let two = [gzip(b"hello hello "), gzip(b"hello, brotli")].concat();
    for (codings, packed) in [
        (&[][..], PLAIN.to_vec()),
        (&[Identity], PLAIN.to_vec()),
        (&[Gzip], gzip(PLAIN)),
        (&[Gzip], gzip_with_all_fields(PLAIN)),
        (&[Gzip], two.clone()),
        (&[Gzip], [two, vec![0; 300]].concat()),
        (&[Deflate], zlib(PLAIN)),
        (&[Deflate], bare(PLAIN)),
        (&[Deflate], [bare(PLAIN), b"beyond".to_vec()].concat()),
        (&[Brotli], brotli()),
        (&[Zstandard], zstd(PLAIN)),
        (&[Zstandard], [zstd(b"hello hello "), zstd(b"hello, brotli")].concat()),
        (&[Zstandard], [unhex("50 2a 4d 18 02 00 00 00 ff ff"), zstd(PLAIN)].concat()),
        (&[Deflate, Gzip], gzip(&zlib(PLAIN))),
        (&[Brotli, Identity, Zstandard, Gzip], gzip(&zstd(&brotli()))),
    ] {
        for piece in [1, 2, 7, usize::MAX] {
            let (out, result) = unpack(codings, &packed, piece, LIMIT);
            assert_eq!((out.escape_ascii().to_string(), result), (PLAIN.escape_ascii().to_string(), Ok(())));
        }
    }
}

#[test]
fn a_body_without_a_byte_is_none_and_one_that_is_cut_says_so() {
    for (coding, packed) in [
        (Coding::Gzip, gzip(PLAIN)),
        (Coding::Deflate, zlib(PLAIN)),
        (Coding::Deflate, bare(PLAIN)),
        (Coding::Brotli, brotli()),
        (Coding::Zstandard, zstd(PLAIN)),
    ] {
        for end in 0..packed.len() {
            let (out, result) = unpack(&[coding], &packed[..end], 3, LIMIT);
            assert_eq!(result.is_ok(), end == 0, "{coding:?} after {end} bytes");
            assert!(PLAIN.starts_with(&out), "{coding:?}");
        }
    }
}

#[test]
fn what_is_broken_is_an_error_that_stays() {
    let mut wrong_checksum = gzip(PLAIN);
    let end = wrong_checksum.len();
    wrong_checksum[end - 5] ^= 1;
    for (coding, packed) in [
        (Coding::Gzip, b"<html>".to_vec()),
        (Coding::Gzip, wrong_checksum),
        (Coding::Gzip, unhex("1f 8b 08 20 00 00 00 00 00 ff")),
        (Coding::Deflate, b"<html>".to_vec()),
        (Coding::Brotli, b"<html><html>".to_vec()),
        (Coding::Zstandard, b"<html>".to_vec()),
        // A window of 128 MiB, which no content coding may have.
        (Coding::Zstandard, unhex("28 b5 2f fd 00 88 00 00 00 01 00 00")),
    ] {
        let mut unpacker = Unpacker::new(&[coding], LIMIT);
        let mut out = Vec::new();
        let error = unpacker.feed(&packed, &mut out).expect_err("broken");
        assert_eq!((unpacker.feed(PLAIN, &mut out), unpacker.finish()), (Err(error), Err(error)), "{coding:?}");
    }
}

#[test]
fn no_more_comes_out_than_is_wanted() {
    let zeros = vec![0; 16 << 20];
    let bomb = unhex("cb ff ff 3f f8 27 00 e2 b1 40 20 f7 fe 2f ff ff ff f0 4f 00 c4 61 11 80 ee fd 1f");
    for (codings, packed) in [
        (&[Coding::Gzip][..], gzip(&zeros)),
        (&[Coding::Gzip, Coding::Gzip], gzip(&gzip(&zeros))),
        (&[Coding::Deflate], zlib(&zeros)),
        (&[Coding::Brotli], bomb),
        (&[Coding::Zstandard], zstd(&zeros)),
        (&[], zeros.clone()),
    ] {
        let (out, result) = unpack(codings, &packed, usize::MAX, 1000);
        assert_eq!((out.len(), result), (1000, Err(TOO_LONG)), "{codings:?}");
        let (out, result) = unpack(codings, &packed, usize::MAX, 16 << 20);
        assert_eq!((out.len(), result), (16 << 20, Ok(())), "{codings:?}");
    }
}

#[test]
fn what_lies_between_two_codings_is_limited_as_well() {
    // Empty members, of which nothing comes out in the end.
    let nothing = gzip(b"").repeat(100_000);
    let (out, result) = unpack(&[Coding::Gzip, Coding::Gzip], &gzip(&nothing), usize::MAX, 10);
    assert_eq!((out.len(), result), (0, Err(TOO_LONG)));
}

#[test]
fn codings_are_read_from_all_fields_in_order() {
    let field = |value: &'static str| Field::new("Content-Encoding", value);
    for (fields, expect) in [
        (vec![], Some(vec![])),
        (vec![field("")], Some(vec![])),
        (vec![field("GZIP"), field("br , x-gzip")], Some(vec![Coding::Gzip, Coding::Brotli, Coding::Gzip])),
        (vec![field("identity, zstd")], Some(vec![Coding::Identity, Coding::Zstandard])),
        (vec![field("gzip, compress")], None),
        (vec![field("gzip,gzip,gzip,gzip,gzip")], None),
    ] {
        assert_eq!(codings(&fields), expect, "{fields:?}");
    }
}

#[test]
fn pieces_do_not_matter_for_bytes_that_are_spoilt() {
    let mut dice = Dice(7);
    let packed = [gzip(PLAIN), zlib(PLAIN), bare(PLAIN), brotli(), zstd(PLAIN)];
    let codings = [Coding::Gzip, Coding::Deflate, Coding::Deflate, Coding::Brotli, Coding::Zstandard];
    for _ in 0..2000 {
        let which = dice.below(packed.len());
        let (spoilt, coding) = (dice.spoil(&packed[which]), [codings[which]]);
        let (whole, result) = unpack(&coding, &spoilt, usize::MAX, 4096);
        let (pieces, again) = unpack(&coding, &spoilt, 1 + dice.below(5), 4096);
        assert_eq!(result.is_ok(), again.is_ok(), "{coding:?} {}", spoilt.escape_ascii());
        if result.is_ok() {
            assert_eq!(whole, pieces);
        }
    }
}
