//! Python's HTTP and WebSocket clients through the agent, with what the session makes them trust.

use tests::Lab;
use tests::clients::Client;

fn check(client: &Client, checks: &[&str]) {
    Lab::with_node().over_each_carrier(|session| client.check(session, checks));
}

#[test]
fn requests_gets_bytes_and_streams_both_ways() {
    let checks = ["bytes_arrive", "response_streams", "request_streams", "connection_is_kept"];
    check(&Client::python("requests_client.py"), &checks);
}

#[test]
fn httpx_gets_bytes_and_streams_both_ways_over_http1_and_http2() {
    let lab = Lab::with_node();
    let checks = ["bytes_arrive", "response_streams", "request_streams", "requests_run_beside_one_another"];
    lab.over_each_carrier(|session| {
        for version in ["1", "2"] {
            Client::python("httpx_client.py").arg(version).check(session, &checks);
        }
    });
}

#[test]
fn aiohttp_gets_bytes_events_and_messages_and_streams_both_ways() {
    let checks = ["bytes_arrive", "response_streams", "request_streams", "events_arrive_one_by_one", "websocket_talks"];
    check(&Client::python("aiohttp_client.py"), &checks);
}

#[test]
fn websockets_keeps_messages_fragments_pings_extensions_and_close_codes() {
    let checks = [
        "messages_come_back",
        "extensions_and_subprotocols_are_agreed",
        "fragments_arrive_one_by_one",
        "pings_are_answered_by_the_other_end",
        "close_codes_and_reasons_arrive",
    ];
    check(&Client::python("websockets_client.py"), &checks);
}
