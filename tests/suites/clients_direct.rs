//! Without the agent no client trusts the origins: each verifies certificates, and what makes it trust in the other
//! suites is the session.

use tests::clients::Client;
use tests::{Lab, Output, lab};

/// Runs a client on the host. Nothing tells it of the lab's authority.
fn run(lab: &Lab, argv: &[&str]) -> Output {
    lab.direct(lab::COMMAND, &[&["env", "-u", "CURL_CA_BUNDLE"], argv].concat())
}

/// Asserts that a client fails because of the certificate.
fn refuses(lab: &Lab, argv: &[&str]) {
    let output = run(lab, argv);
    assert_ne!(output.status, 0, "{argv:?}: {output:#?}");
    let said = format!("{}{}", output.stdout, output.stderr).to_lowercase();
    // PKIX is what Java calls it.
    assert!(said.contains("certificate") || said.contains("pkix"), "{argv:?}: {output:#?}");
}

#[test]
fn no_client_of_http_trusts_the_origin() {
    let lab = Lab::with_node();
    let clients = [
        Client::python("requests_client.py"),
        Client::python("httpx_client.py").arg("2"),
        Client::python("aiohttp_client.py"),
        Client::node("fetch_client.js"),
        Client::node("http2_client.js"),
        Client::java("HttpClientChecks.java").arg("2"),
    ];
    for client in &clients {
        refuses(&lab, &client.argv(&["bytes_arrive"]));
    }
    for client in [Client::python("websockets_client.py"), Client::node("ws_client.js")] {
        refuses(&lab, &client.argv(&["messages_come_back"]));
    }
    for protocol in ["connect", "grpc", "grpc-web"] {
        refuses(&lab, &Client::node("connect_client.js").arg(protocol).arg("2").argv(&["unary"]));
    }
}

#[test]
fn no_client_of_debian_trusts_the_origin() {
    let lab = Lab::with_node();
    for argv in [
        &["curl", "-sS", "https://node.test/hello"][..],
        &["wget", "-O", "-", "https://node.test/hello"],
        &["git", "ls-remote", "https://node.test/git/lab.git"],
        &["openssl", "s_client", "-verify_return_error", "-connect", "node.test:443"],
    ] {
        refuses(&lab, argv);
    }
}

#[test]
fn no_client_of_grpc_trusts_the_origin() {
    let lab = Lab::with_grpc();
    for program in [Client::python("grpc_client.py"), Client::python("grpc_asyncio_client.py")] {
        refuses(&lab, &program.arg("grpcio.test").argv(&["metadata_arrives"]));
    }
    refuses(&lab, &Client::node("grpc_client.js").arg("grpc-js.test").argv(&["metadata_arrives"]));
}

#[test]
fn chromium_does_not_trust_the_origin() {
    let lab = Lab::with_node();
    let profile = format!("--user-data-dir={}", lab.scratch.file("profile"));
    let page = "https://node.test/page.html?checks=bytes_arrive";
    let argv =
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom", &profile, page];
    let output = run(&lab, &argv);
    // ERR_CERT_AUTHORITY_INVALID
    assert!(output.stderr.contains("net_error -202") && !output.ok().contains("is right"), "{output:#?}");
}
