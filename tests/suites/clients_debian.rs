//! Debian's clients through the agent: curl, nghttp, h2load, wget, git and openssl, with what the session makes them
//! trust. The server is nginx, and Node's where nginx cannot do it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::fs;

use tests::{Lab, Output, Session, process, tools};

/// Options of curl, and the version that they make.
const VERSIONS: [(&str, &str); 2] = [("--http1.1", "1.1"), ("--http2", "2")];
const MIB: usize = 1 << 20;

/// Bytes that do not repeat soon, so that one in the wrong place is seen.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// Files at nginx: `blob`, and `small`.
fn with_files() -> (Lab, Vec<u8>) {
    let lab = Lab::new();
    let blob = bytes(8 * MIB);
    fs::write(format!("{}/blob", lab.www("origin.test")), &blob).unwrap();
    fs::write(format!("{}/small", lab.www("origin.test")), &blob[..10_000]).unwrap();
    (lab, blob)
}

fn curl(session: &Session<'_>, args: &[&str]) -> Output {
    session.exec(&[&["curl", "-sS", "--fail"], args].concat())
}

#[test]
fn curl_downloads_and_resumes_over_http1_and_http2() {
    let (lab, blob) = with_files();
    let file = lab.scratch.file("part");
    lab.over_each_carrier(|session| {
        for (option, version) in VERSIONS {
            for (have, status) in [(0, 200), (3 * MIB + 1, 206)] {
                fs::write(&file, &blob[..have]).unwrap();
                let report = "%{http_version} %{response_code} %{size_download} %{ssl_verify_result}";
                let resume: &[&str] = if have == 0 { &[] } else { &["-C", "-"] };
                let args = [&[option, "-w", report, "-o", &file, "https://origin.test/blob"], resume].concat();
                let expect = format!("{version} {status} {} 0", blob.len() - have);
                assert_eq!(curl(session, &args).ok(), expect);
                assert!(fs::read(&file).unwrap() == blob, "{option} from {have}: other bytes");
            }
        }
    });
}

#[test]
fn curl_uploads_with_a_length_and_in_chunks_over_http1_and_http2() {
    let lab = Lab::new();
    let blob = bytes(5 * MIB);
    let file = lab.scratch.write("upload", &blob);
    let uploaded = format!("{}/upload/it", lab.www("origin.test"));
    let piped = format!("curl -sS --fail -T - \"$@\" < {file}");
    lab.over_each_carrier(|session| {
        for (option, version) in VERSIONS {
            for how in [&["curl", "-sS", "--fail", "-T", &file][..], &["sh", "-c", &piped, "sh"]] {
                fs::remove_file(&uploaded).unwrap_or_default();
                let report = [option, "-w", "%{http_version} %{response_code}", "https://origin.test/upload/it"];
                assert_eq!(session.exec(&[how, &report].concat()).ok(), format!("{version} 201"), "{how:?}");
                assert!(fs::read(&uploaded).unwrap() == blob, "{how:?}: other bytes");
            }
        }
    });
}

#[test]
fn curl_uploads_after_being_told_to_continue() {
    let lab = Lab::new();
    let blob = bytes(5 * MIB);
    let file = lab.scratch.write("upload", &blob);
    let uploaded = format!("{}/upload/it", lab.www("origin.test"));
    // curl waits for the answer longer than the test for curl.
    let expect = ["--http1.1", "-v", "-H", "Expect: 100-continue", "--expect100-timeout", "100", "-T", &file];
    lab.over_each_carrier(|session| {
        fs::remove_file(&uploaded).unwrap_or_default();
        let output = curl(session, &[&expect[..], &["https://origin.test/upload/it"]].concat());
        output.assert_stderr("< HTTP/1.1 100 Continue").assert_stderr("< HTTP/1.1 201 Created").ok();
        assert!(fs::read(&uploaded).unwrap() == blob, "other bytes");
    });
}

#[test]
fn curl_shows_trailers_over_http1_and_http2() {
    let lab = Lab::with_node();
    let check = |session: &Session<'_>, option| {
        let output = curl(session, &[option, "-i", "https://node.test/trailers"]);
        assert!(output.ok().replace('\r', "").ends_with("\n\nbody\nx-sum: abc\n"), "{output:#?}");
    };
    lab.over_verbatim(|session| check(session, "--http1.1"));
    lab.over_each_carrier(|session| check(session, "--http2"));
}

#[test]
fn curl_shows_early_hints_over_http1_and_http2() {
    let lab = Lab::with_node();
    let check = |session: &Session<'_>, option, version| {
        let output = curl(session, &[option, "-i", "https://node.test/early"]);
        let text = output.ok().to_lowercase().replace('\r', "");
        let hints = format!("http/{version} 103");
        assert!(text.starts_with(&hints) && text.contains("\nlink: </style.css>"), "{output:#?}");
        assert!(text.contains(&format!("\n\nhttp/{version} 200")) && text.ends_with("\n\nlate\n"), "{output:#?}");
    };
    lab.over_verbatim(|session| check(session, "--http1.1", "1.1"));
    lab.over_each_carrier(|session| check(session, "--http2", "2"));
}

#[test]
fn nghttp_downloads_and_uploads() {
    let (lab, blob) = with_files();
    let file = lab.scratch.write("upload", &blob);
    let (got, uploaded) = (lab.scratch.file("got"), format!("{}/upload/it", lab.www("origin.test")));
    let download = format!("nghttp https://origin.test/blob > {got}");
    let upload = ["nghttp", "-v", "-H", ":method: PUT", "-d", &file, "https://origin.test/upload/it"];
    lab.over_each_carrier(|session| {
        // It warns of a certificate that it does not trust, and goes on.
        assert_eq!(session.shell(&download).stderr, "");
        assert!(fs::read(&got).unwrap() == blob, "other bytes");
        fs::remove_file(&uploaded).unwrap_or_default();
        assert_eq!(session.exec(&upload).assert_stdout(":status: 201").stderr, "");
        assert!(fs::read(&uploaded).unwrap() == blob, "other bytes");
    });
}

#[test]
fn nghttp_sees_the_settings_of_the_server() {
    let lab = Lab::new();
    lab.over_verbatim(|session| {
        // What nginx sends unless it is told otherwise.
        let output = session.exec(&["nghttp", "-nv", "https://origin.test/hello"]);
        output.assert_stdout(":status: 200").assert_stdout("SETTINGS_MAX_CONCURRENT_STREAMS(0x03):128]");
        output.assert_stdout("SETTINGS_INITIAL_WINDOW_SIZE(0x04):65536]");
    });
}

#[test]
fn h2load_gets_every_byte_of_many_streams() {
    let (lab, _) = with_files();
    lab.over_each_carrier(|session| {
        for protocol in ["--npn-list=h2", "--h1"] {
            let options = ["-n", "2000", "-c", "4", "-m", "50", protocol, "https://origin.test/small"];
            let output = session.exec(&[&["h2load"], &options[..]].concat());
            output.assert_stdout("2000 succeeded, 0 failed, 0 errored, 0 timeout");
            output.assert_stdout("status codes: 2000 2xx").assert_stdout("(20000000) data");
        }
    });
}

#[test]
fn wget_with_gnutls_resumes_and_follows_links() {
    assert!(process::run(tools::command("wget").arg("--version")).ok().contains("+ssl/gnutls"), "another wget");
    let (lab, blob) = with_files();
    let www = lab.www("origin.test");
    fs::write(format!("{www}/index.html"), "<a href='/a.html'>a</a> <a href='/small'>small</a>").unwrap();
    fs::write(format!("{www}/a.html"), "<a href='upload/b'>b</a>").unwrap();
    fs::write(format!("{www}/upload/b"), "b\n").unwrap();
    let got = lab.scratch.file("got");
    lab.over_each_carrier(|session| {
        fs::remove_dir_all(&got).unwrap_or_default();
        fs::create_dir(&got).unwrap();
        fs::write(format!("{got}/blob"), &blob[..MIB]).unwrap();
        let resumed = session.exec(&["wget", "-nv", "-S", "-c", "-P", &got, "https://origin.test/blob"]);
        assert_eq!(resumed.assert_stderr("206 Partial Content").status, 0, "{resumed:#?}");
        assert!(fs::read(format!("{got}/blob")).unwrap() == blob, "other bytes");
        session.exec(&["wget", "-nv", "-r", "-nH", "-P", &got, "https://origin.test/index.html"]).ok();
        for file in ["index.html", "a.html", "upload/b", "small"] {
            let (there, here) = (fs::read(format!("{www}/{file}")), fs::read(format!("{got}/{file}")));
            assert!(there.unwrap() == here.unwrap(), "{file}: other bytes");
        }
    });
}

/// `git.sh VERSION PLACE FILE`: clones a repository, pushes the file, clones again, and prints the commit that is there.
const GIT: &str = r#"set -e
mkdir "$2"; cd "$2"
export GIT_TRACE_CURL=1 GIT_TRACE_CURL_NO_DATA=1 GIT_CONFIG_COUNT=3
export GIT_CONFIG_KEY_0=http.version GIT_CONFIG_VALUE_0="$1"
export GIT_CONFIG_KEY_1=user.name GIT_CONFIG_VALUE_1=lab
export GIT_CONFIG_KEY_2=user.email GIT_CONFIG_VALUE_2=lab@node.test
git clone https://node.test/git/lab.git work
cp "$3" work
git -C work add --all
git -C work commit --quiet --message pushed
git -C work push origin HEAD:main
git clone --branch main https://node.test/git/lab.git clone
git -C clone rev-parse HEAD
"#;

#[test]
fn git_clones_and_pushes_over_http1_and_http2() {
    let lab = Lab::with_node();
    let blob = bytes(3 * MIB);
    // What is larger than git's buffer of 1 MiB is sent in chunks. Over HTTP/2 there is no such push: Debian 12's curl
    // with GnuTLS stalls in the middle of it if the other end reads more slowly than it writes, agent or not.
    let pushes = [("HTTP/1.1", "large", &blob[..]), ("HTTP/2", "small", &blob[..30_000])];
    lab.over_each_carrier(|session| {
        let repository = lab.scratch.file("repositories/lab.git");
        fs::remove_dir_all(&repository).unwrap_or_default();
        process::run(tools::command("git").args(["init", "--quiet", "--bare", "-b", "main", &repository])).ok();
        for (version, name, content) in pushes {
            let place = lab.scratch.file(&format!("with-{name}"));
            fs::remove_dir_all(&place).unwrap_or_default();
            let file = lab.scratch.write(name, content);
            let output = session.exec(&["sh", "-c", GIT, "git.sh", version, &place, &file]);
            let head = process::run(tools::command("git").args(["-C", &repository, "rev-parse", "main"]));
            assert!(output.ok().ends_with(head.ok()), "{output:#?}");
            output.assert_stderr(&format!("Recv header: {version} 200"));
            for (name, content) in [("large", &blob[..]), (name, content)] {
                assert!(fs::read(format!("{place}/clone/{name}")).unwrap() == content, "{name}: other bytes");
            }
        }
    });
}

#[test]
fn openssl_verifies_the_certificate_and_gets_what_it_asks_for() {
    let lab = Lab::new();
    let request = "printf 'GET /hello HTTP/1.1\\r\\nHost: origin.test\\r\\nConnection: close\\r\\n\\r\\n'";
    let client = "openssl s_client -ign_eof -verify_return_error -verify_hostname origin.test -alpn http/1.1 \
                  -connect origin.test:443 -servername origin.test";
    lab.over_each_carrier(|session| {
        for (option, version) in [("-tls1_2", "New, TLSv1.2"), ("-tls1_3", "New, TLSv1.3")] {
            let output = session.shell(&format!("{request} | {client} {option}"));
            for expect in [version, "Verify return code: 0 (ok)", "ALPN protocol: http/1.1", "HTTP/1.1 200 OK"] {
                output.assert_stdout(expect);
            }
            output.assert_stdout("\nhello from origin.test\n").ok();
        }
    });
}
