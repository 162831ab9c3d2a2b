//! Chromium through the agent. It trusts by the user's NSS database alone: no flag says anything of certificates.

use tests::{Lab, Session};

/// Opens a page that makes these checks, and asserts that each is right.
fn check(session: &Session<'_>, profile: &str, checks: &[&str]) {
    let profile = format!("--user-data-dir={profile}");
    let page = format!("https://node.test/page.html?checks={}", checks.join(","));
    // Chromium has no sandbox for root.
    let options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"];
    let output = session.exec(&[&["chromium"], &options[..], &[&profile, &page]].concat());
    let expect: String = checks.iter().map(|check| format!("{check} is right\n")).collect();
    assert!(output.ok().contains(&format!("<pre id=\"results\">{expect}</pre>")), "{output:#?}");
}

fn over_each_carrier(checks: &[&str]) {
    let lab = Lab::with_node();
    let profile = lab.scratch.file("profile");
    lab.over_each_carrier(|session| check(session, &profile, checks));
}

#[test]
fn a_page_fetches_and_streams_both_ways() {
    over_each_carrier(&["bytes_arrive", "response_streams", "request_streams"]);
}

#[test]
fn a_page_gets_events_and_talks_over_a_websocket() {
    over_each_carrier(&["events_arrive_one_by_one", "a_websocket_talks"]);
}

#[test]
fn a_websocket_of_a_page_goes_over_http2() {
    over_each_carrier(&["a_websocket_goes_over_http2"]);
}
