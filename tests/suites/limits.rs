//! How much passes, what the kernel refuses because rules say so, and what people are asked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use tests::agent::agent_on;
use tests::{Lab, Output, PYTHON, Session, process, wait};

const VERSIONS: [&str; 2] = ["--http1.1", "--http2"];

fn session<'a>(lab: &'a Lab, options: &[&str], rules: &str) -> Session<'a> {
    let file = lab.scratch.write("rules.toml", rules);
    lab.agent().args(&["--config", &file]).args(options).up()
}

/// curl, whose output ends in a space and the status.
fn curl(session: &Session<'_>, args: &[&str]) -> (String, String) {
    let output = session.exec(&[&["curl", "-sS", "-w", " %{http_code}"], args].concat());
    let (body, status) = output.ok().rsplit_once(' ').unwrap();
    (body.to_owned(), status.to_owned())
}

#[test]
fn what_is_over_a_limit_is_told_how_long_to_wait_or_waits() {
    let lab = Lab::new();
    let rules = "[[rule]]\nname = 'few'\nmatch.path = '/hello'\nlimit = { requests = '2/h', per = 'process' }\n\
                 [[rule]]\nname = 'in all'\nmatch.path = '/addr'\nlimit.quota = { requests = 1 }\n\
                 [[rule]]\nname = 'slow'\nmatch.path = '/seen'\n\
                 limit = { requests = '20/s', burst = 1, over = 'wait', delay_ms = 10, jitter_ms = 10 }\n\
                 [[rule]]\nname = 'small'\nmatch.method = 'PUT'\nlimit.upload = '1 KiB'\n";
    for version in VERSIONS {
        let session = session(&lab, &[], rules);
        let status = |path: &str| curl(&session, &[version, &format!("https://origin.test/{path}")]).1;
        assert_eq!([status("hello"), status("hello"), status("hello")], ["200", "200", "429"], "{version}");
        let refused = session.exec(&["curl", "-sSi", version, "https://origin.test/hello"]);
        let head = refused.ok().to_ascii_lowercase();
        let after = head.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
        assert!((1..=3600).contains(&after.trim().parse::<u32>().unwrap()), "{head}");
        assert!(head.contains("\"rule\":\"few\""), "{head}");
        let wget = session.exec(&["wget", "-qO-", "https://origin.test/hello"]);
        assert_eq!(wget.ok(), "hello from origin.test\n", "another program has its own");
        assert_eq!([status("addr"), status("addr")], ["200", "429"], "{version}");
        assert_eq!([status("seen"), status("seen"), status("seen")], ["200"; 3], "{version}");
        assert!(session.log().contains("exchange_held"), "{}", session.log());
        let large = lab.scratch.write("large", "x".repeat(5000));
        for upload in [&["-T", &large][..], &["-T", "-", "-H", "Transfer-Encoding: chunked"]] {
            let argv = [&["curl", "-sS", "-w", " %{http_code}", version], upload, &["https://origin.test/upload/x"]];
            let script = format!(
                "{} < {large}",
                argv.concat().iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
            );
            let output = session.shell(&script);
            assert!(!output.stdout.ends_with(" 201"), "{version}: {output:#?}");
        }
        assert!(!std::path::Path::new(&lab.www("origin.test")).join("upload/x").exists());
        session.down();
    }
}

#[test]
fn bytes_pass_no_faster_than_a_rule_says() {
    let lab = Lab::new();
    std::fs::write(std::path::Path::new(&lab.www("origin.test")).join("blob"), vec![b'x'; 60_000]).unwrap();
    let rules = "[[rule]]\nmatch.path = '/blob'\nlimit.down = '100 KB/s'\n";
    let session = session(&lab, &[], rules);
    for version in VERSIONS {
        let argv = [
            "curl",
            "-sS",
            version,
            "-o",
            "/dev/null",
            "-w",
            "%{size_download} %{time_total}",
            "https://origin.test/blob",
        ];
        let output = session.exec(&argv);
        let (size, seconds) = output.ok().split_once(' ').unwrap();
        // Six tenths of a second, of which one passes at once.
        assert!(size == "60000" && seconds.parse::<f64>().unwrap() > 0.4, "{version}: {size} in {seconds}");
    }
    session.down();
}

#[test]
fn networks_and_ports_are_the_kernels_and_change_with_the_file() {
    let lab = Lab::new();
    let session = session(
        &lab,
        &[],
        "[network]\nrefuse = ['198.51.100.30', '2001:db8:ffff::/48']\nports = { 8080 = 'refuse' }\n",
    );
    let connect =
        |address: &str, port: &str| session.exec(&["bash", "-c", &format!("exec 3<>/dev/tcp/{address}/{port}")]).status;
    assert_ne!(connect("198.51.100.30", "443"), 0);
    assert_ne!(connect("198.51.100.10", "8080"), 0);
    assert_eq!(connect("198.51.100.10", "443"), 0);
    let reasons = session.stats()["drops"].to_string();
    assert!(reasons.contains("network") && reasons.contains("port"), "{reasons}");
    lab.scratch
        .write("rules.toml", "[network]\nrefuse = ['198.51.100.10']\nports = { 8080 = 'intercept', 443 = 'refuse' }\n");
    process::run(&mut agent_on(&lab.host, &["policy", "reload", session.name()])).ok();
    assert_eq!(connect("198.51.100.30", "8080"), 0);
    assert_ne!(connect("198.51.100.10", "8080"), 0);
    lab.scratch.write("rules.toml", "[network]\nports = { 8080 = 'intercept' }\n");
    process::run(&mut agent_on(&lab.host, &["policy", "reload", session.name()])).ok();
    assert_eq!(curl(&session, &["http://origin.test:8080/hello"]).1, "200");
    assert!(session.log().contains("http://origin.test:8080/hello"), "what is intercepted is read");
    // Under traffic: whoever is allowed before and after is never refused.
    let url = "http://origin.test/hello?[1-4000]";
    let mut loading = session.spawn(&[
        "curl",
        "-sS",
        "-Z",
        "--parallel-max",
        "8",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}\n",
        "-H",
        "Connection: close",
        url,
    ]);
    let mut rounds = 0;
    while loading.is_alive() {
        let rules =
            if rounds % 2 == 0 { "[network]\nrefuse = ['192.0.2.0/24']\nports = { 25 = 'refuse' }\n" } else { "" };
        lab.scratch.write("rules.toml", rules);
        process::run(&mut agent_on(&lab.host, &["policy", "reload", session.name()])).ok();
        rounds += 1;
    }
    let output = loading.finish();
    let passed = output.ok().lines().filter(|line| *line == "200").count();
    assert!(passed == 4000 && rounds > 2, "{passed} of 4000 in {rounds} rounds: {}", output.stderr);
    session.down();
}

fn approve(lab: &Lab, session: &Session<'_>, args: &[&str]) -> Output {
    process::run(&mut agent_on(&lab.host, &[&["approve", session.name()], args].concat()))
}

/// The questions that are open, once there are so many.
fn questions(lab: &Lab, session: &Session<'_>, count: usize) -> Vec<Value> {
    wait::eventually("somebody is asked", || {
        let listed = approve(lab, session, &["--list", "--json"]);
        let questions: Vec<Value> = serde_json::from_str(listed.ok()).unwrap();
        (questions.len() == count).then_some(questions)
    })
}

const ASK: &str = "[[rule]]\nname = 'ask'\nverdict = { ask = { reason = 'who knows' } }\n";

#[test]
fn a_request_waits_until_somebody_allows_it_and_many_are_one_question() {
    let lab = Lab::new();
    for (mode, version) in [("observe", "--http1.1"), ("enforce", "--http2"), ("enforce", "--http1.1")] {
        let session = session(&lab, &["--mode", mode], ASK);
        let get = |url: &'static str| session.spawn(&["curl", "-sS", "-w", " %{http_code}", version, url]);
        let waiting =
            [get("https://origin.test/hello"), get("https://origin.test/addr"), get("http://origin.test/hello")];
        let all_wait = || (session.log().matches("exchange_asked").count() == 3).then_some(());
        wait::eventually("all of them wait", all_wait);
        let [question] = &questions(&lab, &session, 1)[..] else { panic!("one question") };
        assert_eq!(
            (&question["rule"], &question["host"], &question["reason"]),
            (&"ask".into(), &"origin.test".into(), &"who knows".into())
        );
        assert!(question["program"].as_str().unwrap().ends_with("/curl"), "{question}");
        let id = question["id"].to_string();
        approve(&lab, &session, &[&id, "--answer", "once"]).ok();
        for waiting in waiting {
            assert!(waiting.finish().ok().ends_with(" 200"), "{mode} {version}");
        }
        let denied = get("https://other.test/hello");
        questions(&lab, &session, 1);
        approve(&lab, &session, &["--answer", "no"]).ok();
        let denied = denied.finish();
        assert!(denied.ok().ends_with(" 403") && denied.stdout.contains("did not allow it"), "{denied:#?}");
        let lasting = get("https://other.test/hello");
        questions(&lab, &session, 1);
        approve(&lab, &session, &["--answer", "session"]).ok();
        assert!(lasting.finish().ok().ends_with(" 200"));
        assert!(get("https://other.test/addr").finish().ok().ends_with(" 200"), "nobody is asked again");
        assert!(approve(&lab, &session, &["7", "--answer", "once"]).stderr.contains("there is no question 7"));
        session.down();
    }
}

/// Sends a word and prints what comes back; interrupted, it breaks off.
const TALK: &str = "
import socket, struct, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), 50)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
sock.sendall(b'\\x01 word\\n')
try:
    print(sock.recv(100)[2:].decode(), end='')
except ConnectionError:
    print('reset')
except KeyboardInterrupt:
    sock.close()
    print('left')
";

#[test]
fn a_connection_that_is_not_http_waits_for_an_answer_as_well() {
    let mut lab = Lab::new();
    lab.python("echo.py", &[]);
    let rules = format!("{ASK}[network]\nports = {{ 7001 = 'relay' }}\n");
    // Who runs the command can write the rules, or cannot.
    for (mode, user) in [("observe", "root"), ("enforce", "nobody")] {
        let audit = lab.scratch.path().join(format!("{mode}.jsonl")).to_str().unwrap().to_owned();
        let session = session(&lab, &["--mode", mode, "--user", user, "--audit", &audit], &rules);
        let talk = |address: &'static str, port: &'static str| session.spawn(&[PYTHON, "-c", TALK, address, port]);
        let waiting = [talk("198.51.100.10", "7001"), talk("198.51.100.10", "7001")];
        let all_wait = || (session.events("connection_asked").len() == 2).then_some(());
        wait::eventually("both of them wait", all_wait);
        let [question] = &questions(&lab, &session, 1)[..] else { panic!("one question") };
        assert_eq!((&question["rule"], &question["host"]), (&"ask".into(), &"198.51.100.10:7001".into()));
        assert_eq!(session.events("upstream_connected"), Vec::<Value>::new(), "nobody is dialled before");
        approve(&lab, &session, &["--answer", "once"]).ok();
        for waiting in waiting {
            assert_eq!(waiting.finish().stdout, "word\n", "{mode}");
        }
        assert_eq!(session.events("upstream_connected").len(), 2);
        let denied = talk("198.51.100.11", "7001");
        questions(&lab, &session, 1);
        approve(&lab, &session, &["--answer", "no"]).ok();
        assert_eq!(denied.finish().stdout, "reset\n", "{mode}");
        // On a port that is read, it shows that it is not HTTP.
        let other = talk("198.51.100.12", "80");
        let [question] = &questions(&lab, &session, 1)[..] else { panic!("one question") };
        assert_eq!(question["host"], "198.51.100.12:80");
        approve(&lab, &session, &["--answer", "no"]).ok();
        assert_eq!(other.finish().stdout, "reset\n", "{mode}");
        // Whoever breaks off takes the question along.
        let gone = talk("198.51.100.13", "7001");
        questions(&lab, &session, 1);
        gone.signal(Signal::SIGINT);
        assert_eq!(gone.finish().stdout, "left\n", "{mode}");
        questions(&lab, &session, 0);
        let lasting = talk("198.51.100.14", "7001");
        questions(&lab, &session, 1);
        approve(&lab, &session, &["--answer", "always"]).ok();
        assert_eq!(lasting.finish().stdout, "word\n", "{mode}");
        wait::eventually("the rule is in force", || session.log().contains("rules_reloaded").then_some(()));
        assert_eq!(talk("198.51.100.14", "7001").finish().stdout, "word\n", "nobody is asked");
        let capture = session.capture();
        let counts = "SELECT count(*) FROM connections WHERE verdict IS NOT NULL AND length(rules) = 64 AND closed > 0";
        capture.wait(counts, &7.into());
        let told =
            capture.rows("SELECT verdict || ' ' || rule AS told FROM connections WHERE verdict <> '' ORDER BY id");
        let told: Vec<_> = told.iter().map(|row| row["told"].as_str().unwrap().to_owned()).collect();
        let passed = "passthrough ask";
        let expect = [passed, passed, "block ask", "block ask", "block ask", passed, "passthrough rule 1"];
        assert_eq!(told, expect, "{mode}");
        session.down();
        let audited = std::fs::read_to_string(&audit).unwrap();
        let lines = audited.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let told =
            lines.map(|line| format!("{} {}", line["verdict"].as_str().unwrap(), line["rule"].as_str().unwrap()));
        assert_eq!(told.collect::<Vec<_>>(), expect, "{mode}: {audited}");
    }
}

#[test]
fn what_is_always_allowed_is_a_rule_from_then_on() {
    let lab = Lab::new();
    let session = session(&lab, &["--mode", "enforce", "--user", "nobody"], ASK);
    let waiting = session.spawn(&["curl", "-sS", "-w", " %{http_code}", "https://origin.test/hello"]);
    questions(&lab, &session, 1);
    approve(&lab, &session, &["--answer", "always"]).ok();
    assert!(waiting.finish().ok().ends_with(" 200"));
    let file = std::fs::read_to_string(lab.scratch.path().join("rules.toml")).unwrap();
    assert!(file.starts_with("# Allowed when it was asked about.\n[[rule]]\nmatch.host = \"origin.test\"\n"), "{file}");
    wait::eventually("the rule is in force", || session.log().contains("rules_reloaded").then_some(()));
    session.down();
    let later =
        lab.agent().args(&["--mode", "enforce", "--config", &format!("{}/rules.toml", lab.scratch.path().display())]);
    assert_eq!(later.run(&["curl", "-sS", "https://origin.test/hello"]).ok(), "hello from origin.test\n");
}

#[test]
fn without_an_answer_the_rule_decides() {
    let lab = Lab::new();
    for (ask, status) in [
        ("{ timeout_s = 1 }", "403"),
        ("{ timeout_s = 1, otherwise = 'allow' }", "200"),
        ("{ unattended = 'block' }", "403"),
        ("{ unattended = 'allow' }", "200"),
    ] {
        let session = session(&lab, &[], &format!("[[rule]]\nverdict = {{ ask = {ask} }}\n"));
        for version in VERSIONS {
            assert_eq!(curl(&session, &[version, "https://origin.test/hello"]).1, status, "{ask} {version}");
        }
        session.down();
    }
}

#[test]
fn a_question_goes_with_whoever_waits_and_with_the_worker() {
    let lab = Lab::new();
    let mut session = session(&lab, &[], ASK);
    let waiting = session.spawn(&["curl", "-sS", "-m", "2", "https://origin.test/hello"]);
    questions(&lab, &session, 1);
    assert_eq!(waiting.finish().status, 28);
    questions(&lab, &session, 0);
    let waiting = session.spawn(&["curl", "-sS", "https://origin.test/hello"]);
    questions(&lab, &session, 1);
    let worker = session.worker();
    kill(worker, Signal::SIGKILL).unwrap();
    assert_ne!(waiting.finish().status, 0);
    questions(&lab, &session, 0);
    session.down();
}

#[test]
fn every_verdict_is_in_an_audit_that_shows_what_is_changed() {
    let lab = Lab::new();
    let audit = lab.scratch.path().join("audit.jsonl").to_str().unwrap().to_owned();
    let rules = "[[rule]]\nname = 'no'\nmatch.path = '/addr'\nverdict = { block = { reason = 'why' } }\n";
    for round in 1..=2 {
        let session = session(&lab, &["--audit", &audit], rules);
        curl(&session, &["https://origin.test/hello"]);
        curl(&session, &["--http1.1", "https://origin.test/addr"]);
        let capture = session.capture();
        capture.wait("SELECT count(*) FROM exchanges WHERE finished IS NOT NULL", &2.into());
        let row = &capture
            .rows("SELECT verdict, rule, reason, length(rules) AS hash FROM exchanges ORDER BY id DESC LIMIT 1")[0];
        assert_eq!(row, &serde_json::json!({ "verdict": "block", "rule": "no", "reason": "why", "hash": 64 }));
        session.down();
        let verified = process::run(&mut agent_on(&lab.host, &["audit", "verify", &audit]));
        assert!(verified.ok().contains(&format!("{} verdicts", 2 * round)), "{verified:#?}");
    }
    let text = std::fs::read_to_string(&audit).unwrap();
    let second: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!(
        (&second["verdict"], &second["rule"], &second["request"]),
        (&"block".into(), &"no".into(), &"GET https://origin.test/addr".into())
    );
    assert!(second["program"].as_str().unwrap().ends_with("/curl"));
    std::fs::write(&audit, text.replacen("\"block\"", "\"allow\"", 1)).unwrap();
    let verified = process::run(&mut agent_on(&lab.host, &["audit", "verify", &audit]));
    assert!(verified.status == 1 && verified.stdout.contains("line 3: the line before it"), "{verified:#?}");
    std::fs::write(&audit, "no audit\n").unwrap();
    let session = lab.agent().args(&["--audit", &audit]).run(&["curl", "-sS", "-m", "3", "https://origin.test/hello"]);
    assert_ne!(session.status, 0);
}
