//! TLS as real clients speak it, of every version and shape, each verifying the agent's certificates.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::{Value, json};
use tests::certificates::Authority;
use tests::{Lab, PYTHON, Session};

const OLD: &str = "198.51.100.11";
const NEW: &str = "198.51.100.12";
const ECHO: &str = "198.51.100.13";
const GREETER: &str = "198.51.100.14";
const ASKING: &str = "198.51.100.15";
const INSISTING_OLD: &str = "198.51.100.16";
const INSISTING_NEW: &str = "198.51.100.17";
const ANCIENT: &str = "198.51.100.18";
const MIXED: &str = "198.51.100.19";
const ALL: [&str; 9] = [OLD, NEW, ECHO, GREETER, ASKING, INSISTING_OLD, INSISTING_NEW, ANCIENT, MIXED];

/// Servers of every kind, all of them `tls.test`.
fn lab() -> Lab {
    let mut lab = Lab::bare();
    lab.serve_dns();
    let names = ALL.map(|address| format!(",IP:{address}")).concat();
    let (cert, key) = lab.authority.issue(&lab.scratch, "tls.test", &format!("DNS:tls.test,DNS:*.tls.test{names}"));
    let clients = lab.authority.cert.clone();
    let server = |address: &str, more: Value| {
        let mut server = json!({"address": address, "cert": cert, "key": key});
        server.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server
    };
    lab.tls_servers(&[
        server(OLD, json!({"versions": ["TLSv1_2", "TLSv1_2"]})),
        server(NEW, json!({"versions": ["TLSv1_3", "TLSv1_3"]})),
        server(ECHO, json!({"alpn": ["lab-echo"], "echoes": true})),
        server(GREETER, json!({"greets": true})),
        server(ASKING, json!({"clients": clients})),
        server(INSISTING_OLD, json!({"clients": clients, "insists": true, "versions": ["TLSv1_2", "TLSv1_2"]})),
        server(INSISTING_NEW, json!({"clients": clients, "insists": true, "versions": ["TLSv1_3", "TLSv1_3"]})),
        server(MIXED, json!({"port": 80})),
        json!({"address": MIXED, "port": 443}),
        server(ANCIENT, json!({"versions": ["TLSv1", "TLSv1"]})),
    ]);
    lab
}

fn curl(session: &Session<'_>, address: &str, options: &[&str]) -> tests::Output {
    let connect = format!("tls.test:443:{address}:443");
    session.exec(&[&["curl", "-sS", "--connect-to", &connect, "https://tls.test/"], options].concat())
}

/// openssl s_client(1) that sends a request.
fn s_client(session: &Session<'_>, address: &str, options: &str) -> tests::Output {
    session.shell(&format!(
        "printf 'GET / HTTP/1.1\\r\\nHost: tls.test\\r\\n\\r\\n' | \
         openssl s_client -ign_eof -verify_return_error -connect {address}:443 {options} 2>&1"
    ))
}

#[test]
fn every_client_of_either_version_reaches_servers_of_either_version() {
    let lab = lab();
    let session = lab.agent().up();
    for (address, server) in [(OLD, "TLSv1.2"), (NEW, "TLSv1.3")] {
        for client in ["--tls-max 1.2", "--tlsv1.3"] {
            let options: Vec<_> = client.split(' ').collect();
            assert!(curl(&session, address, &options).ok().starts_with(server), "{client} {server}");
        }
        let https = format!(
            "require('https').get({{host: '{address}', servername: 'tls.test', maxVersion: process.argv[1]}}, \
             r => r.pipe(process.stdout))"
        );
        let python = format!(
            "import ssl, socket, sys; c = ssl.create_default_context(); \
             c.maximum_version = ssl.TLSVersion[sys.argv[1].replace('.', '_')]; \
             s = c.wrap_socket(socket.create_connection(('{address}', 443)), server_hostname='tls.test'); \
             s.sendall(b'GET / HTTP/1.1\\r\\nHost: tls.test\\r\\n\\r\\n'); print(s.makefile().read())"
        );
        for version in ["TLSv1.2", "TLSv1.3"] {
            for argv in [["node", "-e", &https, version], [PYTHON, "-c", &python, version]] {
                let output = session.exec(&argv);
                assert!(output.ok().contains(server), "{argv:?}: {output:#?}");
            }
            let priority = format!("NORMAL:-VERS-ALL:+VERS-{}", version.replace("TLSv", "TLS"));
            let gnutls = format!(
                "printf 'GET / HTTP/1.1\\r\\nHost: tls.test\\r\\n\\r\\n' | \
                 gnutls-cli --priority={priority} --sni-hostname=tls.test --verify-hostname=tls.test {address}"
            );
            let output = session.shell(&gnutls);
            assert!(output.ok().contains(server), "{output:#?}");
            let nss = format!(
                "db=$HOME/.local/share/pki/nssdb; test -e $db/cert9.db || db=$HOME/.pki/nssdb; \
                 tstclnt -Q -h {address} -a tls.test -p 443 -d sql:$db -V {}:",
                version.replace("TLSv", "tls")
            );
            session.shell(&nss).ok();
        }
    }
    session.down();
}

#[test]
fn clients_resume_their_sessions() {
    let lab = lab();
    let session = lab.agent().up();
    let file = lab.scratch.file("session");
    for version in ["-tls1_2", "-tls1_3"] {
        let first = s_client(&session, NEW, &format!("{version} -sess_out {file}"));
        assert!(first.stdout.contains("New, TLSv1"), "{first:#?}");
        let again = s_client(&session, NEW, &format!("{version} -sess_in {file}"));
        assert!(again.stdout.contains("Reused, TLSv1") && again.stdout.contains("200 OK"), "{again:#?}");
    }
    let output = session.shell(&format!("openssl s_client -connect {NEW}:443 -reconnect -tls1_2 </dev/null"));
    assert_eq!(output.stdout.matches("Reused, TLSv1.2").count(), 5, "{output:#?}");
    session.down();
}

#[test]
fn sessions_with_servers_are_resumed() {
    let lab = lab();
    let session = lab.agent().up();
    for (address, version) in [(OLD, "TLSv1.2"), (NEW, "TLSv1.3")] {
        assert_eq!(curl(&session, address, &[]).ok(), format!("{version} full -\n"));
        assert_eq!(curl(&session, address, &[]).ok(), format!("{version} resumed -\n"));
        // Where both are reached under one name, the other's session is not resumed, and is lost.
    }
    session.down();
}

#[test]
fn early_data_is_refused_and_the_client_falls_back() {
    let mut lab = Lab::bare();
    lab.serve_dns();
    let (cert, key) = lab.authority.issue(&lab.scratch, "stream.test", "DNS:stream.test");
    let mut server = lab.inet.command("openssl");
    server.args(["s_server", "-accept", "443", "-cert", &cert, "-key", &key, "-early_data"]);
    let mut server = tests::Process::spawn(&mut server);
    server.wait_line("ACCEPT");
    let file = lab.scratch.file("session");
    let early = lab.scratch.write("early", "early\n");
    let connect = "openssl s_client -connect stream.test:443 -servername stream.test";
    // A session with the server itself allows early data, and the client tries it with us as well.
    let direct = format!("(echo first; sleep 1) | SSL_CERT_FILE={} {connect} -sess_out {file}", lab.authority.cert);
    lab.direct(tests::lab::COMMAND, &["sh", "-c", &direct]).ok();
    let session = lab.agent().up();
    let through =
        format!("(echo second; sleep 1) | {connect} -verify_return_error -sess_in {file} -early_data {early}");
    session.shell(&through).assert_stdout("Early data was rejected");
    server.wait_line("second");
    let heard = server.wait_output(|text| Some(text.to_owned()));
    assert_eq!((heard.matches("second\n").count(), heard.matches("early\n").count()), (1, 0), "{heard}");
    session.down();
}

#[test]
fn a_client_without_ecdsa_gets_an_rsa_certificate() {
    let lab = lab();
    let session = lab.agent().up();
    for options in [
        "-tls1_3 -sigalgs RSA-PSS+SHA256:RSA+SHA256",
        "-tls1_2 -sigalgs RSA-PSS+SHA256:RSA+SHA256",
        "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256",
    ] {
        let output = s_client(&session, NEW, options);
        assert!(output.stdout.contains("Peer signature type: RSA-PSS"), "{output:#?}");
        assert!(output.stdout.contains("200 OK"), "{output:#?}");
    }
    let usual = s_client(&session, NEW, "");
    assert!(usual.stdout.contains("Peer signature type: ECDSA") && usual.stdout.contains("200 OK"), "{usual:#?}");
    session.down();
}

#[test]
fn names_of_every_kind_are_answered() {
    let lab = lab();
    let session = lab.agent().up();
    for options in [
        "-noservername",
        // An address is no server name (RFC 6066 section 3), and is sent all the same.
        "-servername 198.51.100.12",
        "-servername tls.test -verify_hostname tls.test",
        "-servername TLS.test -verify_hostname tls.test",
        "-servername a.tls.test -verify_hostname a.tls.test",
        "-servername under_score.tls.test",
    ] {
        let output = s_client(&session, NEW, options);
        assert!(output.stdout.contains("200 OK"), "{options}: {output:#?}");
    }
    session.down();
}

#[test]
fn a_leaf_may_have_very_many_names() {
    let mut lab = Lab::bare();
    lab.serve_dns();
    let names: Vec<_> = (0..1500).map(|number| format!("DNS:n{number}.tls.test")).collect();
    let (cert, key) = lab.authority.issue(&lab.scratch, "many", &format!("{},IP:{NEW}", names.join(",")));
    lab.tls_servers(&[json!({"address": NEW, "cert": cert, "key": key})]);
    let session = lab.agent().up();
    let connect = format!("n1499.tls.test:443:{NEW}:443");
    session.exec(&["curl", "-sS", "--connect-to", &connect, "https://n1499.tls.test/"]).ok();
    session.down();
}

#[test]
fn an_unknown_protocol_is_mirrored_and_relayed_decrypted() {
    let lab = lab();
    let session = lab.agent().up();
    for (offered, chosen) in [("lab-echo", Some("lab-echo")), ("x,h2,lab-echo,http/1.1", Some("lab-echo")), ("", None)]
    {
        let alpn = if offered.is_empty() { String::new() } else { format!("-alpn {offered}") };
        let output =
            session.shell(&format!("echo hello | openssl s_client -ign_eof -connect {ECHO}:443 {alpn} 2>/dev/null"));
        let expected = chosen.map_or("No ALPN negotiated".to_owned(), |chosen| format!("ALPN protocol: {chosen}"));
        assert!(output.stdout.contains(&expected) && output.stdout.contains("\nhello\n"), "{offered}: {output:#?}");
    }
    session.down();
}

#[test]
fn a_server_that_speaks_first_inside_tls_is_heard() {
    let lab = lab();
    let session = lab.agent().up();
    let output = session.shell(&format!("openssl s_client -quiet -connect {GREETER}:443 </dev/null 2>/dev/null"));
    output.assert_stdout("220 lab ready");
    session.down();
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_the_configured_one() {
    let lab = lab();
    let (cert, key) = lab.authority.issue(&lab.scratch, "client.test", "DNS:client.test");
    let config = lab.scratch.write(
        "agent.toml",
        format!("[[client_certificate]]\nhost = \"tls.test\"\ncert = \"{cert}\"\nkey = \"{key}\"\n"),
    );
    let session = lab.agent().args(&["--config", &config]).up();
    for (address, version) in [(ASKING, "TLSv1.3"), (INSISTING_OLD, "TLSv1.2"), (INSISTING_NEW, "TLSv1.3")] {
        assert_eq!(curl(&session, address, &[]).ok(), format!("{version} full client.test\n"));
    }
    let asked = session.events("client_certificate_requested");
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|event| event["used"] == true && event["name"] == "tls.test"), "{asked:?}");
    let secret = std::fs::read_to_string(&key).unwrap();
    assert!(!session.log().contains(secret.lines().nth(1).unwrap()));
    session.down();
}

#[test]
fn without_a_certificate_the_server_decides() {
    let lab = lab();
    let session = lab.agent().up();
    assert_eq!(curl(&session, ASKING, &[]).ok(), "TLSv1.3 full -\n");
    for (address, alert) in [(INSISTING_OLD, "alert handshake failure"), (INSISTING_NEW, "alert certificate required")]
    {
        let output = curl(&session, address, &[]);
        assert!(output.status != 0 && output.stderr.contains(alert), "{output:#?}");
    }
    assert!(session.events("client_certificate_requested").iter().all(|event| event["used"] == false));
    session.down();
}

#[test]
fn a_server_of_another_version_is_refused_with_an_alert_that_says_so() {
    let lab = lab();
    let session = lab.agent().up();
    let output = curl(&session, ANCIENT, &[]);
    assert!(output.status != 0 && output.stderr.contains("protocol version"), "{output:#?}");
    session.down();
}

#[test]
fn what_is_spoken_counts_and_not_the_port() {
    let lab = lab();
    let session = lab.agent().enforce().up();
    for (url, expected) in [("https", 80, "TLSv1.3 full -\n"), ("http", 443, "no TLS\n")]
        .map(|(scheme, port, expected)| (format!("{scheme}://{MIXED}:{port}/"), expected))
    {
        assert_eq!(session.exec(&["curl", "-sS", &url]).ok(), expected);
    }
    assert_eq!(session.events("exchange_finished").len(), 2);
    session.down();
}

#[test]
fn a_wrong_line_of_settings_is_named_with_its_place() {
    let lab = Lab::bare();
    let config = lab.scratch.write("agent.toml", "\non_pinned = \"perhaps\"\n");
    let output = lab.agent().args(&["--config", &config]).run(&["true"]);
    output.assert_status(125);
    assert!(output.stderr.contains(&format!("{config}:2:13: ")), "{output:#?}");
}

#[test]
fn strict_clients_accept_the_leaves_of_any_authority() {
    let lab = lab();
    let own = ["ec -pkeyopt ec_paramgen_curve:P-256", "rsa:2048"].map(|kind| Some(authority(&lab, kind)));
    for own in [None].into_iter().chain(own) {
        let mut agent = lab.agent();
        if let Some(own) = &own {
            agent = agent.args(&["--ca-cert", &own.cert, "--ca-key", &own.key]);
        }
        let session = agent.up();
        for options in ["", "-sigalgs RSA-PSS+SHA256:RSA+SHA256"] {
            let strict = format!("-x509_strict -servername tls.test -verify_hostname tls.test {options}");
            let output = s_client(&session, NEW, &strict);
            assert!(output.stdout.contains("200 OK"), "{output:#?}");
        }
        session.down();
    }
}

/// An authority as companies have it.
fn authority(lab: &Lab, kind: &str) -> Authority {
    let (cert, key) =
        (lab.scratch.file(&format!("{}.pem", &kind[..2])), lab.scratch.file(&format!("{}.key", &kind[..2])));
    let mut openssl = tests::tools::command("openssl");
    openssl
        .args(["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=our own root", "-newkey"])
        .args(kind.split(' '));
    openssl.args(["-addext", "keyUsage=critical,keyCertSign", "-keyout", &key, "-out", &cert]);
    tests::process::run(&mut openssl).ok();
    Authority { cert, key }
}
