//! Rules change while a session runs: all or none of them, and nothing that is on its way is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{User, chown, mkfifo};
use tests::agent::agent_on;
use tests::carrier::CARRIERS;
use tests::{Lab, Output, Session, process, wait};

/// How many requests are made while rules change.
const REQUESTS: usize = 8000;

/// All is answered with `word`, in its head and in its body.
fn answering(word: &str) -> String {
    format!("[[rule]]\nname = '{word}'\nverdict.mock = {{ headers = {{ x-word = '{word}' }}, body = '{word}' }}\n")
}

fn reload(lab: &Lab, name: &str) -> Output {
    process::run(&mut agent_on(&lab.host, &["policy", "reload", name]))
}

/// What `path` of origin.test is answered with: body, status, and the rule's word.
fn answer(session: &Session<'_>, path: &str) -> String {
    let format = "|%{http_code}|%header{x-word}\n";
    let url = format!("https://origin.test{path}");
    session.exec(&["curl", "-sS", "-w", format, &url]).ok().to_owned()
}

#[test]
fn a_file_that_changes_changes_the_rules_whoever_says_so() {
    let lab = Lab::new();
    let file = lab.scratch.write("rules.toml", answering("first"));
    let mut session = lab.agent().args(&["--config", &file]).up();
    assert_eq!(answer(&session, "/"), "first|200|first\n");
    lab.scratch.write("rules.toml", answering("second"));
    wait::eventually("the file is noticed", || (answer(&session, "/") == "second|200|second\n").then_some(()));
    // As editors do it.
    let beside = lab.scratch.write("rules.toml.new", answering("third"));
    std::fs::rename(beside, &file).unwrap();
    wait::eventually("another file is noticed", || (answer(&session, "/") == "third|200|third\n").then_some(()));
    let pid = session.pid();
    kill(pid, Signal::SIGHUP).unwrap();
    assert_eq!(reload(&lab, session.name()).ok(), "1 rules are in force\n");
    let worker = session.worker();
    kill(worker, Signal::SIGKILL).unwrap();
    wait::eventually("another worker serves", || (session.worker() != worker).then_some(()));
    assert_eq!(answer(&session, "/"), "third|200|third\n");
    session.down();
}

#[test]
fn a_file_that_the_file_names_changes_the_rules_as_well() {
    let lab = Lab::new();
    lab.scratch.write("page.txt", "one");
    lab.scratch.write("more.toml", "[[rule]]\nverdict.mock.file = 'page.txt'\n");
    let script = |body: &str| format!("exports.mockResponses = {{ '/script': {{ body: '{body}' }} }};");
    lab.scratch.write("rules.js", script("one"));
    let file = lab.scratch.write("rules.toml", "include = ['more.toml']\n[[rule]]\nscript = 'rules.js'\n");
    let session = lab.agent().args(&["--config", &file]).up();
    assert_eq!(answer(&session, "/"), "one|200|\n");
    lab.scratch.write("page.txt", "two");
    wait::eventually("the body is noticed", || (answer(&session, "/") == "two|200|\n").then_some(()));
    lab.scratch.write("more.toml", "[[rule]]\nmatch.path = '/mocked'\nverdict.mock.file = 'other.txt'\n");
    wait::eventually("the mistake is noticed", || session.log().contains("rules_rejected").then_some(()));
    assert_eq!(answer(&session, "/"), "two|200|\n");
    lab.scratch.write("other.txt", "three");
    lab.scratch.write("more.toml", "[[rule]]\nmatch.path = '/mocked'\nverdict.mock.file = 'other.txt'\n");
    wait::eventually("the rules are noticed", || (answer(&session, "/mocked") == "three|200|\n").then_some(()));
    assert_eq!(answer(&session, "/script"), "one|200|\n");
    lab.scratch.write("rules.js", script("two"));
    wait::eventually("the script is noticed", || (answer(&session, "/script") == "two|200|\n").then_some(()));
    session.down();
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing_and_says_why() {
    let lab = Lab::new();
    let file = lab.scratch.write("rules.toml", answering("first"));
    let session = lab.agent().args(&["--config", &file]).up();
    for (text, why) in [
        ("[[rule]]\nverdict = 'no'\n", ":2:11: unknown variant `no`"),
        ("[[rule]]\nname = 'idle'\n", ":1:1: a rule that does nothing"),
        ("[[rule]]\nverdict.mock.file = 'absent'\n", ":1:1: `absent` cannot be read"),
        ("rule = 1", ":1:8: invalid type"),
    ] {
        lab.scratch.write("rules.toml", text);
        let output = reload(&lab, session.name());
        assert!(output.status == 125 && output.stderr.contains(why), "{output:#?}");
        assert_eq!(answer(&session, "/"), "first|200|first\n");
        let log = session.log();
        assert!(log.contains("rules_rejected") && log.contains(why), "{log}");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(reload(&lab, session.name()).stderr.contains("cannot read the file"));
    assert_eq!(answer(&session, "/"), "first|200|first\n");
    session.down();
    assert!(reload(&lab, "no-such-session").stderr.contains("there is no session `no-such-session`"));
}

#[test]
fn a_session_goes_on_while_its_rules_are_slow_to_come() {
    let lab = Lab::new();
    let file = lab.scratch.write("rules.toml", answering("first"));
    let page = lab.scratch.path().join("page");
    mkfifo(&page, Mode::S_IRWXU).unwrap();
    let mut session = lab.agent().args(&["--config", &file]).up();
    lab.scratch.write("rules.toml", "[[rule]]\nverdict.mock.file = 'page'\n");
    let mut write = File::options();
    write.write(true).custom_flags(nix::libc::O_NONBLOCK);
    let mut page = wait::eventually("the page is being read", || write.open(&page).ok());
    let questions = process::run(&mut agent_on(&lab.host, &["approve", session.name(), "--list", "--json"]));
    assert_eq!(questions.ok(), "[]\n");
    let worker = session.worker();
    kill(worker, Signal::SIGKILL).unwrap();
    wait::eventually("another worker serves", || (session.worker() != worker).then_some(()));
    assert_eq!(answer(&session, "/"), "first|200|first\n");
    page.write_all(b"late").unwrap();
    drop(page);
    wait::eventually("the page is noticed", || (answer(&session, "/") == "late|200|\n").then_some(()));
    session.down();
}

#[test]
fn in_enforce_mode_no_command_writes_its_own_rules() {
    let lab = Lab::new();
    let observe = ["--mode", "observe"].as_slice();
    let enforce = ["--mode", "enforce"].as_slice();
    let open = ["--mode", "enforce", "--allow-own-rules"].as_slice();
    for (owner, options, follows) in
        [("nobody", enforce, false), ("nobody", observe, true), ("nobody", open, true), ("root", enforce, true)]
    {
        let file = lab.scratch.write("rules.toml", answering("first"));
        let owning = User::from_name(owner).unwrap().unwrap();
        chown(Path::new(&file), Some(owning.uid), None).unwrap();
        let session = lab.agent().args(&["--user", "nobody", "--config", &file]).args(options).up();
        std::fs::write(&file, answering("second")).unwrap();
        let output = reload(&lab, session.name());
        let (status, word) = if follows { (0, "second") } else { (125, "first") };
        output.assert_status(status);
        assert_eq!(answer(&session, "/"), format!("{word}|200|{word}\n"), "{owner} {options:?}");
        if !follows {
            output.assert_stderr(&format!("`{file}` can be changed by `nobody`"));
            assert!(session.log().contains("rules_rejected"));
        }
        session.down();
    }
}

#[test]
fn no_exchange_is_lost_in_a_reload_and_none_sees_two_sets_of_rules() {
    let lab = Lab::new();
    for carrier in CARRIERS {
        for version in ["--http1.1", "--http2"] {
            let file = lab.scratch.write("rules.toml", "");
            let session = lab.agent().args(carrier.options).args(&["--config", &file]).up();
            let url = format!("https://origin.test/hello?[1-{REQUESTS}]");
            let format = "%{http_code} %header{x-word} %{size_download}\n";
            let mut argv = vec!["curl", "-sS", "-Z", "--parallel-max", "16", version];
            argv.extend(["-o", "/dev/null", "-w", format, &url]);
            let mut loading = session.spawn(&argv);
            let mut rounds = 0;
            while loading.is_alive() {
                let word = ["", "a", "bb"][rounds % 3];
                lab.scratch.write("rules.toml", if word.is_empty() { String::new() } else { answering(word) });
                reload(&lab, session.name()).ok();
                rounds += 1;
            }
            let output = loading.finish();
            let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
            output.ok().lines().for_each(|line| *seen.entry(line).or_default() += 1);
            let of = format!("{} {version}, {rounds} rounds: {seen:?} {}", carrier.name, output.stderr);
            assert_eq!(seen.values().sum::<usize>(), REQUESTS, "{of}");
            assert!(seen.keys().all(|line| ["200 a 1", "200 bb 2", "200  23"].contains(line)), "{of}");
            assert!(rounds > 3 && seen.len() == 3, "{of}");
            session.down();
        }
    }
}
