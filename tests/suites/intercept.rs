//! What a client sees through interception: the agent's certificate, the origin's bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use tests::{Lab, ORIGIN4, ORIGIN6, PYTHON, Process};

#[test]
fn http1_and_http2_arrive_with_the_agents_certificate_and_the_origins_bytes() {
    let lab = Lab::new();
    for (option, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let format = "%{http_version} %{certs}";
        let output = lab.agent().run(&["curl", "-sS", option, "-w", format, "https://origin.test/hello"]);
        let rest = output.ok().strip_prefix("hello from origin.test\n").unwrap();
        assert!(rest.starts_with(&format!("{version} ")), "{output:#?}");
        assert!(rest.contains("Issuer:") && !rest.contains("lab root"), "{output:#?}");
    }
}

#[test]
fn every_client_gets_the_origins_bytes() {
    let lab = Lab::new();
    let session = lab.agent().up();
    let urllib = "import urllib.request as r; print(r.urlopen('https://origin.test/hello').read().decode(), end='')";
    let http_client = "import http.client as c; h = c.HTTPSConnection('origin.test'); h.request('GET', '/hello'); \
                       print(h.getresponse().read().decode(), end='')";
    let https = "require('https').get('https://origin.test/hello', r => r.pipe(process.stdout))";
    let http2 = "const s = require('http2').connect('https://origin.test'); \
                 s.request({':path': '/hello'}).on('end', () => s.close()).pipe(process.stdout)";
    for argv in [
        vec!["curl", "-sS", "https://origin.test/hello"],
        vec!["nghttp", "https://origin.test/hello"],
        vec![PYTHON, "-c", urllib],
        vec![PYTHON, "-c", http_client],
        vec!["node", "-e", https],
        vec!["node", "-e", http2],
    ] {
        assert_eq!(session.exec(&argv).ok(), "hello from origin.test\n", "{argv:?}");
    }
    session.down();
}

#[test]
fn the_original_destination_is_dialled_over_ipv4_and_ipv6() {
    let lab = Lab::new();
    let session = lab.agent().up();
    for (url, expect) in [
        ("https://v4only.test/addr", format!("{ORIGIN4}:443 v4only.test HTTP/2.0 v4only.test\n")),
        ("https://v6only.test/addr", format!("{ORIGIN6}:443 v6only.test HTTP/2.0 v6only.test\n")),
        (&format!("https://[{ORIGIN6}]/addr"), format!("{ORIGIN6}:443 [{ORIGIN6}] HTTP/2.0 \n")),
        (&format!("https://{ORIGIN4}/addr"), format!("{ORIGIN4}:443 {ORIGIN4} HTTP/2.0 \n")),
        ("https://192.0.2.77/addr", "192.0.2.77:443 192.0.2.77 HTTP/2.0 \n".to_owned()),
        ("http://[2001:db8:1::77]/addr", "2001:db8:1::77:80 [2001:db8:1::77] HTTP/1.1 \n".to_owned()),
        ("http://origin.test/addr", format!("{ORIGIN4}:80 origin.test HTTP/1.1 \n")),
    ] {
        assert_eq!(session.exec(&["curl", "-sSk", url]).ok(), expect, "{url}");
    }
    session.down();
}

#[test]
fn two_names_on_one_address_are_two_origins() {
    let lab = Lab::new();
    let output = lab.agent().run(&["curl", "-sS", "https://origin.test/hello", "https://other.test/hello"]);
    assert_eq!(output.ok(), "hello from origin.test\nhello from other.test\n");
}

#[test]
fn two_hundred_connections_at_once_are_served() {
    let lab = Lab::new();
    let session = lab.agent().up();
    for protocol in ["--npn-list=h2", "--h1"] {
        let output = session.exec(&["h2load", "-n", "2000", "-c", "200", protocol, "https://origin.test/hello"]);
        assert!(output.ok().contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"), "{output:#?}");
    }
    session.down();
}

#[test]
fn one_connection_carries_many_requests() {
    let lab = Lab::new();
    let session = lab.agent().up();
    for options in [["--npn-list=h2", "-m100"], ["--h1", "-m1"]] {
        let mut argv = vec!["h2load", "-n", "2000", "-c", "1"];
        argv.extend(options);
        argv.push("https://origin.test/hello");
        let output = session.exec(&argv);
        assert!(output.ok().contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"), "{output:#?}");
    }
    assert_eq!(session.stats()["opened"], 2);
    session.down();
}

/// A lab where openssl(1) serves `stream.test` on 443, without ALPN.
fn with_openssl(options: &[&str]) -> (Process, Lab) {
    let mut lab = Lab::bare();
    lab.serve_dns();
    let (cert, key) = lab.authority.issue(&lab.scratch, "stream.test", "DNS:stream.test");
    let mut server = lab.inet.command("openssl");
    server.args(["s_server", "-accept", "443", "-cert", &cert, "-key", &key]).args(options);
    let mut server = Process::spawn(&mut server);
    server.wait_line("ACCEPT");
    (server, lab)
}

#[test]
fn a_client_is_offered_the_protocol_that_the_server_speaks() {
    let (_server, lab) = with_openssl(&["-www"]);
    let output = lab.agent().run(&[
        "curl",
        "-sS",
        "--http2",
        "-o",
        "/dev/null",
        "-w",
        "%{http_version}",
        "https://stream.test/",
    ]);
    assert!(["1", "1.0", "1.1"].contains(&output.ok()), "{output:#?}");
}

#[test]
fn tls_that_carries_no_http_is_passed_on() {
    let (_server, lab) = with_openssl(&["-rev"]);
    let client = "import socket, ssl; \
        s = ssl.create_default_context().wrap_socket(socket.create_connection(('stream.test', 443)), server_hostname='stream.test'); \
        s.sendall(b'hello\\n'); print(s.makefile().readline(), end='')";
    assert_eq!(lab.agent().run(&[PYTHON, "-c", client]).ok(), "olleh\n");
}
