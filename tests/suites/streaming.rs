//! Bodies stream, trailers arrive, upgrades pass: node on both sides.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use tests::{Lab, tools};

fn check(what: &str) {
    let mut lab = Lab::bare();
    lab.serve_dns();
    lab.node_origin();
    let session = lab.agent().up();
    let output = session.exec(&["node", &tools::program("client.js"), what]);
    assert_eq!(output.ok(), format!("{what} is right\n"));
    session.down();
}

#[test]
fn an_http1_response_chunk_arrives_before_the_next_is_sent() {
    check("http1-streaming");
}

#[test]
fn an_http2_response_chunk_arrives_before_the_next_is_sent() {
    check("http2-streaming");
}

#[test]
fn an_http1_body_is_echoed_while_it_is_being_sent() {
    check("http1-duplex");
}

#[test]
fn an_http2_body_is_echoed_while_it_is_being_sent() {
    check("http2-duplex");
}

#[test]
fn http1_trailers_arrive_both_ways() {
    check("http1-trailers");
}

#[test]
fn http2_trailers_arrive_both_ways() {
    check("http2-trailers");
}

#[test]
fn a_websocket_echoes_through_an_upgrade() {
    check("websocket");
}

#[test]
fn an_http2_reset_keeps_its_code() {
    check("http2-reset");
}

#[test]
fn informational_responses_arrive() {
    check("http1-continue");
}
