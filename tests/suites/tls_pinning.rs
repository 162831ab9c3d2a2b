//! Clients that trust their own roots alone: told apart, explained, and let through or not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::json;
use tests::{Lab, PYTHON, Session, tools};

/// Where the server is reached: a host for each client.
const HOSTS: [&str; 6] =
    ["198.51.100.41", "198.51.100.42", "198.51.100.43", "198.51.100.44", "198.51.100.45", "198.51.100.46"];

fn lab() -> Lab {
    let mut lab = Lab::bare();
    lab.serve_dns();
    let names = HOSTS.map(|host| format!("IP:{host}")).join(",");
    let (cert, key) = lab.authority.issue(&lab.scratch, "pinned.test", &names);
    let servers = HOSTS.map(|host| json!({"address": host, "cert": cert, "key": key}));
    lab.tls_servers(&servers);
    lab
}

/// Clients that trust the lab's authority and nothing else, each with its host.
fn clients(lab: &Lab) -> Vec<(&'static str, Vec<String>)> {
    let root = &lab.authority.cert;
    let url = |at: usize| format!("https://{}/", HOSTS[at]);
    let python = format!(
        "import ssl, urllib.request as r; c = ssl.create_default_context(cafile='{root}'); \
         print(r.urlopen('{}', context=c).read().decode())",
        url(1)
    );
    let node = format!(
        "const ca = require('fs').readFileSync('{root}'); \
         require('https').get({{host: '{}', ca}}, r => r.pipe(process.stdout))\
         .on('error', e => {{ console.error(e.code); process.exit(1) }})",
        HOSTS[2]
    );
    let request = format!("printf 'GET / HTTP/1.1\\r\\nHost: {}\\r\\n\\r\\n'", HOSTS[4]);
    let gnutls = format!("{request} | gnutls-cli --x509cafile={root} {}", HOSTS[4]);
    let store = lab.scratch.file("roots.p12");
    let java = format!(
        "test -e {store} || keytool -importcert -noprompt -alias lab -file {root} -keystore {store} -storepass changeit; \
         exec java -Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=changeit {} {}",
        tools::program("Fetch.java"),
        url(5)
    );
    let own = |argv: &[&str]| argv.iter().map(|&arg| arg.to_owned()).collect();
    vec![
        ("curl", own(&["curl", "-sS", "--capath", "/nonexistent", "--cacert", root, &url(0)])),
        ("python", own(&[PYTHON, "-c", &python])),
        ("node", own(&["node", "-e", &node])),
        (
            "wget",
            own(&["wget", "-T10", "-t1", "-qO-", "--ca-directory=/nonexistent", "--ca-certificate", root, &url(3)]),
        ),
        ("gnutls", own(&["sh", "-c", &gnutls])),
        ("java", own(&["sh", "-c", &java])),
    ]
}

fn run(session: &Session<'_>, argv: &[String]) -> tests::process::Output {
    session.exec(&argv.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_client_with_roots_of_its_own_is_reported_and_let_through() {
    let lab = lab();
    let session = lab.agent().up();
    let mut failed = Vec::new();
    let clients = clients(&lab);
    for ((client, argv), host) in clients.iter().zip(HOSTS) {
        // An alert is proof at once, hanging up the second time.
        let mut tries = 1;
        let mut output = run(&session, argv);
        while !output.stdout.contains("TLSv1.3") && tries < 4 {
            output = run(&session, argv);
            tries += 1;
        }
        let refused = session.events("client_refused_certificate");
        let refused: Vec<_> = refused.iter().filter(|event| event["host"] == host).collect();
        let passed = session.events("passed_through").iter().filter(|event| event["host"] == host).count();
        let known = refused.first().is_some_and(|event| event["process"]["comm"].is_string());
        if !known || !(2..=3).contains(&tries) || refused.len() != 1 || passed == 0 {
            failed.push((client, tries, refused.len(), passed, output));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}\n{}", session.log());
    for (host, setting) in
        [(HOSTS[1], "REQUESTS_CA_BUNDLE"), (HOSTS[2], "NODE_EXTRA_CA_CERTS"), (HOSTS[5], "JAVA_TOOL_OPTIONS")]
    {
        let refused = session.events("client_refused_certificate");
        let event = refused.iter().find(|event| event["host"] == host).unwrap();
        assert!(event["setting"].as_str().unwrap().contains(setting), "{event}");
    }
    session.down();
}

#[test]
fn a_client_with_roots_of_its_own_stays_refused_in_enforce_mode() {
    let lab = lab();
    let session = lab.agent().enforce().up();
    let (_, argv) = &clients(&lab)[0];
    for _ in 0..3 {
        run(&session, argv).assert_status(60);
    }
    assert_eq!(session.events("client_refused_certificate").len(), 1);
    assert!(session.events("passed_through").is_empty());
    session.down();
}

#[test]
fn the_file_of_settings_decides_over_the_mode() {
    let lab = lab();
    let (_, argv) = &clients(&lab)[0];
    for (mode, on_pinned, last) in [("observe", "refuse", 60), ("enforce", "passthrough", 0)] {
        let config =
            lab.scratch.write("agent.toml", format!("on_pinned = \"{on_pinned}\"\n[[rule]]\nverdict = \"allow\"\n"));
        let session = lab.agent().args(&["--mode", mode, "--config", &config]).up();
        run(&session, argv).assert_status(60);
        run(&session, argv).assert_status(last);
        session.down();
    }
}

#[test]
fn trusting_clients_pin_nothing() {
    let lab = lab();
    let session = lab.agent().args(&["--upstream-ca", &lab.authority.cert]).up();
    let url = format!("https://{}/", HOSTS[0]);
    for _ in 0..2 {
        session.shell(&format!("openssl s_client -connect {}:443 </dev/null", HOSTS[0])).ok();
        session.exec(&["curl", "-sS", &url]).ok();
    }
    assert!(session.events("client_refused_certificate").is_empty());
    session.down();
}
