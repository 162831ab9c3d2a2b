//! Java's HttpClient through the agent, with what the session makes it trust.

use tests::Lab;
use tests::clients::Client;

const CHECKS: [&str; 4] = ["bytes_arrive", "response_streams", "request_streams", "requests_run_beside_one_another"];

#[test]
fn httpclient_gets_bytes_and_streams_both_ways_over_http1_and_http2() {
    let lab = Lab::with_node();
    lab.over_each_carrier(|session| {
        for version in ["1.1", "2"] {
            Client::java("HttpClientChecks.java").arg(version).check(session, &CHECKS);
        }
    });
}

#[test]
fn a_websocket_of_httpclient_keeps_fragments_pings_and_close_codes() {
    Lab::with_node().over_each_carrier(|session| {
        Client::java("HttpClientChecks.java").arg("1.1").check(session, &["a_websocket_talks"]);
    });
}
