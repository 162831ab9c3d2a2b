//! The worker: nobody, without a capability, replaced when it dies.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use nix::sys::signal::{Signal, kill};
use tests::procfs::{status_of, worker_of};
use tests::{Lab, eventually, process};

const NOBODY: &str = "65534\t65534\t65534\t65534";

#[test]
fn the_worker_is_nobody_without_a_capability() {
    let lab = Lab::bare();
    let mut session = lab.agent().up();
    let worker = session.worker();
    for (field, expect) in [("Uid", NOBODY), ("Gid", NOBODY), ("NoNewPrivs", "1")] {
        assert_eq!(status_of(worker, field), expect, "{field}");
    }
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status_of(worker, set), "0000000000000000", "{set}");
    }
    assert_eq!(status_of(worker, "Groups"), "");
    session.down();
}

#[test]
fn a_request_after_the_workers_death_succeeds() {
    let lab = Lab::new();
    let mut session = lab.agent().up();
    for _ in 0..3 {
        let worker = session.worker();
        kill(worker, Signal::SIGKILL).unwrap();
        // No waiting: the request queues until the next worker serves.
        let output = session.exec(&["curl", "-sS", "https://origin.test/hello"]);
        assert_eq!(output.ok(), "hello from origin.test\n", "{}", session.log());
        assert_ne!(session.worker(), worker);
    }
    session.down();
}

#[test]
fn a_transfer_in_the_midst_of_the_workers_death_is_cut_not_left_hanging() {
    let mut lab = Lab::bare();
    lab.serve_dns();
    lab.node_origin();
    let mut session = lab.agent().up();
    let mut transfer = session.spawn(&["curl", "-sSN", "https://stream.test/stream"]);
    transfer.wait_line("one");
    kill(session.worker(), Signal::SIGKILL).unwrap();
    assert_ne!(transfer.finish().status, 0);
    session.down();
}

#[test]
fn the_worker_dies_with_the_supervisor() {
    let lab = Lab::bare();
    let mut session = lab.agent().up();
    let worker = session.worker();
    let supervisor = session.pid();
    session.signal(Signal::SIGKILL);
    let leftovers = session.died();
    eventually("the worker is gone", || (!std::path::Path::new(&format!("/proc/{worker}")).exists()).then_some(()));
    assert!(worker_of(supervisor).is_none());
    process::run(&mut tests::agent::agent_on(&lab.host, &["gc"])).ok();
    leftovers.assert_clean();
}

#[test]
fn forced_syn_cookies_do_not_keep_anyone_out() {
    let lab = Lab::new();
    let mut session = lab.agent().up();
    let gateway = session.gateway();
    let inside = |script: &str| {
        process::run(tests::tools::command("nsenter").arg(format!("--net={gateway}")).args(["sh", "-c", script]))
    };
    inside("echo 2 > /proc/sys/net/ipv4/tcp_syncookies").ok();
    for url in ["https://v4only.test/hello", "https://v6only.test/hello", "http://origin.test/hello"] {
        let output = session.exec(&["curl", "-sSk", url]);
        assert!(output.ok().starts_with("hello from"), "{output:#?}");
    }
    // Or it was no test.
    let counters = inside("cat /proc/net/netstat");
    let mut lines = counters.ok().lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap().split(' '), lines.next().unwrap().split(' '));
    let received = names.zip(values).find(|(name, _)| *name == "SyncookiesRecv").unwrap().1;
    assert!(received.parse::<u32>().unwrap() >= 3, "{received}");
    session.down();
}
