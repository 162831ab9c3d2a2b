//! Messages of gRPC and gRPC-Web, in binary and in text: they are the same however they come, and each byte is of one.

#![no_main]

use agent::engine::decode::stream::Kind;
use agent::engine::http::Field;
use agent::engine::http::exchange::Direction;
use fuzz::streams::{read, wire};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, body)) = bytes.split_first() else { return };
    let kind = [Kind::Grpc, Kind::GrpcWeb, Kind::GrpcWebText][usize::from(choice) % 3];
    let encoding = ["identity", "gzip", "deflate", "br", "zstd", "snappy"][usize::from(choice >> 2) % 6];
    let messages = read(kind, Direction::Request, &[Field::new("grpc-encoding", encoding)], body);
    if let (true, Some(wire)) = (kind != Kind::GrpcWebText, wire(&messages)) {
        assert_eq!(wire, body.len() as u64);
    }
});
