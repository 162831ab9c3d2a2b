//! A bad certificate upstream is as bad for the client as it would be without us.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::json;
use tests::certificates::Defect;
use tests::{Lab, process::Output};

const DEFECTS: [Defect; 10] = [
    Defect::Expired,
    Defect::NotYetValid,
    Defect::WrongName,
    Defect::WrongNameAndExpired,
    Defect::SelfSigned,
    Defect::UnknownAuthority,
    Defect::UnknownAuthorityUnseen,
    Defect::Incomplete,
    Defect::WrongUse,
    Defect::AnAuthoritys,
];

/// curl(1), EXIT CODES.
const CURL_UNTRUSTED: i32 = 60;

/// The address of the server whose certificate has this defect.
fn address(defect: Defect) -> String {
    format!("198.51.100.{}", 30 + DEFECTS.iter().position(|&known| known == defect).unwrap())
}

fn lab() -> Lab {
    let mut lab = Lab::bare();
    lab.serve_dns();
    let server = |defect| {
        let (cert, key) = lab.authority.issue_bad(&lab.scratch, "bad.test", defect);
        json!({"address": address(defect), "cert": cert, "key": key})
    };
    let servers = DEFECTS.map(server);
    lab.tls_servers(&servers);
    lab
}

/// What openssl(1) says of the certificate, in full.
fn verdict(output: &Output) -> String {
    let lines = output.stdout.lines().chain(output.stderr.lines());
    let code = lines.filter(|line| line.contains("Verify return code:") || line.contains("verify error:"));
    let mut code: Vec<_> = code.map(str::trim).collect();
    code.dedup();
    code.join("; ")
}

#[test]
fn a_client_that_checks_refuses_for_the_same_reason() {
    let lab = lab();
    let session = lab.agent().up();
    let mut differ = Vec::new();
    for defect in DEFECTS {
        let connect = format!("bad.test:443:{}:443", address(defect));
        let curl = ["curl", "-sS", "--connect-to", &connect, "https://bad.test/"];
        let (direct, through) = (lab.direct(tests::lab::COMMAND, &curl), session.exec(&curl));
        // Authorities are what we and OpenSSL judge differently: it lets them be servers, we do not.
        through.assert_status(CURL_UNTRUSTED);
        if direct.stderr != through.stderr {
            differ.push((defect, direct.stderr, through.stderr));
        }
    }
    let differ: Vec<_> = differ.iter().filter(|(defect, ..)| !OTHERWISE.contains(defect)).collect();
    assert!(differ.is_empty(), "{differ:#?}");
    session.down();
}

/// Where the reason is another than it would be without us: webpki does not say whether a root stands behind what may
/// not be a server's, so that we show it as a stranger's.
const OTHERWISE: [Defect; 2] = [Defect::WrongUse, Defect::AnAuthoritys];

#[test]
fn openssl_says_of_the_copy_what_it_says_of_the_original() {
    let lab = lab();
    let session = lab.agent().up();
    for defect in DEFECTS.into_iter().filter(|defect| !OTHERWISE.contains(defect)) {
        let script = format!(
            "openssl s_client -connect {}:443 -servername bad.test -verify_hostname bad.test </dev/null",
            address(defect)
        );
        let direct = format!("SSL_CERT_FILE={} exec sh -c '{script}'", lab.authority.cert);
        let direct = verdict(&lab.direct(tests::lab::COMMAND, &["sh", "-c", &direct]));
        assert!(direct.contains("error"), "{defect:?}: {direct}");
        assert_eq!(verdict(&session.shell(&script)), direct, "{defect:?}");
    }
    session.down();
}

#[test]
fn a_client_that_does_not_check_goes_on() {
    let lab = lab();
    let session = lab.agent().up();
    for defect in DEFECTS {
        let connect = format!("bad.test:443:{}:443", address(defect));
        let curl = ["curl", "-sSk", "--connect-to", &connect, "https://bad.test/"];
        assert!(session.exec(&curl).ok().starts_with("TLSv1.3 "), "{defect:?}");
    }
    let log = session.log();
    assert_eq!(log.matches("\"certificate_rejected\"").count(), DEFECTS.len());
    assert!(!log.contains("client_refused_certificate"));
    session.down();
}

#[test]
fn other_clients_refuse_as_well() {
    let lab = lab();
    let session = lab.agent().up();
    for defect in DEFECTS {
        let address = address(defect);
        let python = format!(
            "import socket, ssl; c = ssl.create_default_context(); \
             c.wrap_socket(socket.create_connection(('{address}', 443)), server_hostname='bad.test')"
        );
        let node = format!(
            "require('tls').connect({{host: '{address}', port: 443, servername: 'bad.test'}}, () => process.exit(0))\
             .on('error', e => {{ console.error(e.code); process.exit(1) }})"
        );
        let gnutls = format!("gnutls-cli --sni-hostname=bad.test --verify-hostname=bad.test {address} </dev/null");
        for argv in [[tests::PYTHON, "-c", &python], ["node", "-e", &node], ["sh", "-c", &gnutls]] {
            let output = session.exec(&argv);
            assert!(output.status != 0, "{defect:?}: {output:#?}");
        }
    }
    session.down();
}
