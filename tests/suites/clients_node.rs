//! Node's clients through the agent: fetch, http2, ws and Connect, with what the session makes them trust.

use tests::Lab;
use tests::clients::Client;

fn check(client: &Client, checks: &[&str]) {
    Lab::with_node().over_each_carrier(|session| client.check(session, checks));
}

#[test]
fn fetch_gets_bytes_and_streams_both_ways() {
    check(&Client::node("fetch_client.js"), &["bytes_arrive", "response_streams", "request_streams"]);
}

#[test]
fn http2_gets_bytes_and_trailers_and_streams_both_ways() {
    let checks = ["bytes_arrive", "streams_run_beside_one_another", "both_stream", "trailers_arrive"];
    check(&Client::node("http2_client.js"), &checks);
}

#[test]
fn early_hints_arrive_over_http2() {
    check(&Client::node("http2_client.js"), &["early_hints_arrive"]);
}

#[test]
fn resets_keep_their_codes_both_ways() {
    check(&Client::node("http2_client.js"), &["resets_keep_their_codes"]);
}

#[test]
fn a_websocket_talks_over_http2() {
    check(&Client::node("http2_client.js"), &["a_websocket_talks"]);
}

#[test]
fn ws_keeps_messages_fragments_pings_extensions_and_close_codes() {
    let checks = ["messages_come_back", "fragments_arrive", "pings_are_answered", "close_codes_and_reasons_arrive"];
    check(&Client::node("ws_client.js"), &checks);
}

/// The kinds of calls that need no HTTP/2.
const ONE_WAY: [&str; 4] = ["unary", "errors_arrive", "a_client_streams", "a_server_streams"];

#[test]
fn connect_calls_of_every_kind_pass_over_http2() {
    let checks = [&ONE_WAY[..], &["both_stream"]].concat();
    check(&Client::node("connect_client.js").arg("connect").arg("2"), &checks);
}

#[test]
fn connect_calls_pass_over_http1() {
    check(&Client::node("connect_client.js").arg("connect").arg("1.1"), &ONE_WAY);
}

#[test]
fn grpc_web_calls_pass_over_http1_and_http2() {
    let lab = Lab::with_node();
    lab.over_each_carrier(|session| {
        for version in ["1.1", "2"] {
            Client::node("connect_client.js").arg("grpc-web").arg(version).check(session, &ONE_WAY);
        }
    });
}

#[test]
fn grpc_calls_of_connect_pass_over_http2() {
    let checks = [&ONE_WAY[..], &["both_stream"]].concat();
    check(&Client::node("connect_client.js").arg("grpc").arg("2"), &checks);
}
