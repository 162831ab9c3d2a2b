//! The session's authority is trusted inside, by every kind of client, and nowhere else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tests::{Agent, Lab, PYTHON, process, tools};

const URL: &str = "https://origin.test/hello";
const HELLO: &str = "hello from origin.test\n";

/// A repository that git can read over plain HTTP: one branch.
fn add_repository(lab: &Lab) {
    let repository = format!("{}/repo.git", lab.www("origin.test"));
    fs::create_dir_all(format!("{repository}/info")).unwrap();
    fs::write(format!("{repository}/info/refs"), format!("{}\trefs/heads/main\n", "1".repeat(40))).unwrap();
    fs::write(format!("{repository}/HEAD"), "ref: refs/heads/main\n").unwrap();
}

fn clients() -> Vec<(Vec<String>, String)> {
    let urllib = format!("import urllib.request as r; print(r.urlopen('{URL}').read().decode(), end='')");
    let s_client = "printf 'GET /hello HTTP/1.0\\r\\nHost: origin.test\\r\\n\\r\\n' | openssl s_client -quiet \
                    -verify_return_error -connect origin.test:443 2>/dev/null | tail -n1";
    let java = tools::program("Fetch.java");
    let table: [(&[&str], &str); 6] = [
        (&["curl", "-sS", URL], HELLO),
        (&["wget", "-qO-", URL], HELLO),
        (&[PYTHON, "-c", &urllib], HELLO),
        (&["sh", "-c", s_client], HELLO),
        (&["git", "ls-remote", "https://origin.test/repo.git"], "refs/heads/main\n"),
        (&["java", &java, URL], HELLO),
    ];
    let owned =
        |(argv, expect): (&[&str], &str)| (argv.iter().map(|arg| (*arg).to_owned()).collect(), expect.to_owned());
    table.into_iter().map(owned).collect()
}

#[test]
fn every_client_trusts_by_the_mounts_alone() {
    let lab = Lab::new();
    add_repository(&lab);
    let session = lab.agent().up();
    let mut failed = Vec::new();
    for (argv, expect) in clients() {
        let clean = ["env", "-i", "HOME=/nonexistent", &format!("PATH={}", tools::PATH)].map(str::to_owned);
        let argv: Vec<&str> = clean.iter().chain(&argv).map(String::as_str).collect();
        let output = session.exec(&argv);
        if output.status != 0 || !output.stdout.ends_with(&expect) {
            failed.push(output);
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    session.down();
}

#[test]
fn every_client_trusts_with_the_sessions_environment() {
    let lab = Lab::new();
    add_repository(&lab);
    let session = lab.agent().up();
    let fetch = format!("fetch('{URL}').then(r => r.text()).then(t => process.stdout.write(t))");
    let node = (["node", "-e", &fetch].map(str::to_owned).to_vec(), HELLO.to_owned());
    let mut failed = Vec::new();
    for (argv, expect) in clients().into_iter().chain([node]) {
        let output = session.exec(&argv.iter().map(String::as_str).collect::<Vec<_>>());
        if output.status != 0 || !output.stdout.ends_with(&expect) {
            failed.push(output);
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    session.down();
}

#[test]
fn another_user_trusts_as_well() {
    let lab = Lab::new();
    let output = lab.agent().args(&["--user", "www-data"]).run(&["curl", "-sS", URL]);
    assert_eq!(output.ok(), HELLO);
}

#[test]
fn ip_netns_exec_has_resolver_and_trust() {
    let lab = Lab::new();
    let session = lab.agent().up();
    let output = process::run(tools::command("ip").args(["netns", "exec", session.name(), "curl", "-sS", URL]));
    assert_eq!(output.ok(), HELLO);
    session.down();
}

#[test]
fn ones_own_authority_issues_the_certificates() {
    let lab = Lab::new();
    let own = tests::certificates::Authority::new(&lab.scratch, "own", "our own root");
    let agent = lab.agent().args(&["--ca-cert", &own.cert, "--ca-key", &own.key]);
    let output = agent.run(&["curl", "-sS", "-o", "/dev/null", "-w", "%{certs}", URL]);
    assert!(output.ok().contains("our own root"), "{output:#?}");
}

#[test]
fn the_authority_is_another_in_every_session() {
    let lab = Lab::new();
    let certificate = || {
        let session = lab.agent().up();
        let text = fs::read_to_string(Path::new("/run/agent").join(session.name()).join("ca.pem"));
        let path = session.agent(&["status", session.name(), "--json"]);
        let facts: serde_json::Value = serde_json::from_str(path.ok()).unwrap();
        let text = text.or_else(|_| fs::read_to_string(facts["ca"].as_str().unwrap())).unwrap();
        session.down();
        text
    };
    assert_ne!(certificate(), certificate());
}

/// An agent in a mount namespace where `www-data` has a home directory of ours.
fn with_home<'a>(lab: &'a Lab, home: &str) -> Agent<'a> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let passwd = passwd.replace(":/var/www:", &format!(":{home}:"));
    assert!(passwd.contains(home), "no www-data in {passwd}");
    let passwd = lab.scratch.write("passwd", passwd);
    let script = format!("mount --bind {passwd} /etc/passwd && exec \"$@\"");
    // What is recorded would be in that home.
    lab.agent()
        .args(&["--no-capture"])
        .args(&["--user", "www-data"])
        .under(&["unshare", "--mount", "sh", "-c", &script, "sh"])
}

/// Every file below a directory and what is in it.
fn files(directory: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap().flatten() {
            let path = entry.path().to_str().unwrap().to_owned();
            if entry.path().is_dir() {
                found.insert(format!("{path}/"), Vec::new());
                directories.push(path);
            } else {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    found
}

fn home(lab: &Lab) -> String {
    let home = lab.scratch.file("home");
    fs::create_dir(&home).unwrap();
    own(&home);
    home
}

fn own(path: &str) {
    process::run(tools::command("chown").args(["-R", "www-data:www-data", path])).ok();
}

#[test]
fn an_nss_database_has_the_authority_inside_and_is_untouched_outside() {
    let lab = Lab::bare();
    let home = home(&lab);
    for database in [".pki/nssdb", ".local/share/pki/nssdb"] {
        fs::create_dir_all(format!("{home}/{database}")).unwrap();
        let database = format!("sql:{home}/{database}");
        process::run(tools::command("certutil").args(["-N", "--empty-password", "-d", &database])).ok();
    }
    own(&home);
    let before = files(&home);
    let script = "for db in .pki/nssdb .local/share/pki/nssdb; do certutil -L -d sql:$HOME/$db; done";
    let output = with_home(&lab, &home).shell(script);
    let listed = output.ok().lines().filter(|line| line.contains("agent session CA") && line.contains("C,,"));
    assert_eq!(listed.count(), 2, "{output:#?}");
    assert_eq!(files(&home), before);
}

#[test]
fn a_user_without_an_nss_database_has_none_afterwards() {
    let lab = Lab::bare();
    let home = home(&lab);
    let output = with_home(&lab, &home).shell("certutil -L -d sql:$HOME/.pki/nssdb");
    assert!(output.ok().contains("agent session CA"), "{output:#?}");
    assert_eq!(files(&home), BTreeMap::new());
}

#[test]
fn sessions_of_one_user_keep_their_databases_when_another_ends() {
    let lab = Lab::bare();
    let home = home(&lab);
    // The first makes the directories that both mount over; the second outlives it.
    let (first, second) = (with_home(&lab, &home).up(), with_home(&lab, &home));
    let script = "certutil -L -d sql:$HOME/.pki/nssdb | grep -c 'agent session CA'";
    let mut held = second.spawn(&["sh", "-c", &format!("echo up; read line; {script}")]);
    held.process().wait_line("up");
    first.down();
    held.process().write(b"go\n");
    assert_eq!(held.finish().ok(), "up\n1\n");
    assert_eq!(files(&home), BTreeMap::new());
}

#[test]
fn a_command_can_join_a_session_when_another_of_the_same_user_has_ended() {
    let lab = Lab::bare();
    let home = home(&lab);
    let (first, mut second) = (with_home(&lab, &home).up(), with_home(&lab, &home).up());
    first.down();
    // Where the second's users are: the home directory is theirs only there.
    let mount = format!("--mount=/proc/{}/ns/mnt", second.pid());
    let mut join = tools::command("nsenter");
    join.arg(mount).arg(tools::agent_binary()).args(["exec", second.name(), "--", "true"]);
    process::run(&mut join).ok();
    second.down();
}
