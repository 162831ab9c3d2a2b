//! gRPC's published interoperability cases through interception, over both carriers: tonic on both sides.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::time::Duration;

use tests::{Lab, tools};

/// Two messages of 64 MiB are part of it, in a debug build.
const LIMIT: Duration = Duration::from_secs(240);

const CASES: [&str; 18] = [
    "empty_unary",
    "large_unary",
    "huge_unary",
    "compressed_unary",
    "client_streaming",
    "server_streaming",
    "compressed_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "concurrent_large_unary",
];

fn lab() -> Lab {
    let mut lab = Lab::bare();
    lab.serve_dns();
    let (cert, key) = lab.authority.issue(&lab.scratch, "stream.test", "DNS:stream.test");
    lab.serve(&[&tools::beside("interop-server"), &cert, &key]);
    lab
}

#[test]
fn tonic_passes_every_case_on_one_connection() {
    lab().over_each_carrier(|session| {
        let client = tools::beside("interop-client");
        let argv: Vec<&str> = [client.as_str()].into_iter().chain(CASES).collect();
        let output = session.exec_within(LIMIT, &argv);
        assert_eq!(output.ok().lines().collect::<Vec<_>>(), CASES, "{output:#?}");
        assert_eq!(session.stats()["opened"], 1);
    });
}

/// A call as a browser makes it: framed in the body, trailers as the last frame.
const GRPC_WEB: &str = "
    const call = { method: 'POST', headers: { 'content-type': 'application/grpc-web+proto', 'x-grpc-web': '1' },
      body: new Uint8Array([0, 0, 0, 0, 2, 0x10, 3]) };
    fetch('http://stream.test/grpc.testing.TestService/UnaryCall', call).then(async (response) => {
      const bytes = Buffer.from(await response.arrayBuffer());
      const message = bytes.subarray(5, 5 + bytes.readUInt32BE(1));
      const trailers = bytes.subarray(5 + message.length);
      console.log(response.headers.get('content-type'), message.toString('hex'), trailers[0], trailers.subarray(5).toString().trim());
    });";

#[test]
fn a_grpc_web_call_brings_its_message_and_its_trailers() {
    lab().over_each_carrier(|session| {
        let output = session.exec(&["node", "-e", GRPC_WEB]);
        assert_eq!(output.ok(), "application/grpc-web+proto 0a051203000000 128 grpc-status:0\n");
    });
}
