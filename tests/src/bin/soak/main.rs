//! `cargo xtask soak`: as many connections as a session can hold, a hundred sessions at once, and starts and ends by the
//! thousand; afterwards there is no more of anything than before. To be run where nothing else starts or ends.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails, fails at once, and figures are printed"
)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tests::census::Census;
use tests::wait::within;
use tests::{Lab, PYTHON, tools};

/// How many connections are asked for; a session holds as many as its descriptors allow.
const CONNECTIONS: usize = 10_000;
const SESSIONS: usize = 100;
const CYCLES: u32 = 10_000;
/// So many cycles at once, so that sessions begin while others end.
const AT_ONCE: usize = 2;
/// Cycles before anything is counted: caches of the kernel and of this process fill.
const WARM_UP: u32 = 20;
/// How long the kernel may take to free what nobody holds any more.
const FREED: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(600);

fn main() {
    let end = Instant::now() + Duration::from_secs(60 * minutes());
    let lab = Lab::new();
    cycles(&lab, WARM_UP, end);
    let before = Census::now();
    let mut times = vec![("before", before.clone())];
    println!("{} connections were held at once", connections());
    times.push(("connections", settled(&before)));
    sessions(&lab);
    println!("{SESSIONS} sessions ran at once");
    times.push(("sessions", settled(&before)));
    println!("{} sessions were started and ended", cycles(&lab, CYCLES, end));
    times.push(("cycles", settled(&before)));
    println!("{}", Census::table(&times));
    let grown = times[times.len() - 1].1.grown_since(&before);
    assert!(grown.is_empty(), "there is more than before: {grown:#?}");
}

/// `--minutes M`; 10 if it is not given.
fn minutes() -> u64 {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => 10,
        ["--minutes", minutes] => minutes.parse().expect("a number of minutes"),
        _ => panic!("usage: soak [--minutes M]"),
    }
}

/// The census when nothing has grown any more, or time is up.
fn settled(before: &Census) -> Census {
    within(FREED, || Some(Census::now()).filter(|now| now.grown_since(before).is_empty())).unwrap_or_else(Census::now)
}

/// Holds connections until no more are answered, and ends them; how many there were.
fn connections() -> usize {
    let mut lab = Lab::bare();
    lab.python("echo.py", &[]);
    let session = lab.agent().up();
    // Two descriptors each and some for the rest; one place is ready for the next over IPv6 (docs/limits.md).
    let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let most = usize::try_from(hard.saturating_sub(1200) / 2).unwrap().min(8192) - 1;
    let wanted = CONNECTIONS.min(most);
    let program = tools::program("hold.py");
    let count = wanted.to_string();
    let mut held = session.spawn(&[PYTHON, &program, "198.51.100.10", "7001", &count, &count]);
    let line = format!("answered {wanted}");
    within(PATIENCE, || held.has_written(&line).then_some(())).expect("all connections are answered");
    held.write(b"go on\n");
    held.finish_within(PATIENCE).ok();
    session.down();
    wanted
}

fn sessions(lab: &Lab) {
    let agents: Vec<_> = (0..SESSIONS).map(|_| lab.agent()).collect();
    let script = "curl -sS https://origin.test/hello; read line; curl -sS https://origin.test/hello";
    let mut running: Vec<_> = agents.iter().map(|agent| agent.spawn(&["sh", "-c", script])).collect();
    for session in &mut running {
        let process = session.process();
        within(PATIENCE, || process.has_written("hello from origin.test").then_some(())).expect("it is served");
    }
    for session in running {
        assert_eq!(session.finish_within(PATIENCE).ok(), "hello from origin.test\n".repeat(2));
    }
}

/// Starts and ends sessions until there were so many or the time is over; how many there were.
fn cycles(lab: &Lab, most: u32, end: Instant) -> u32 {
    let done = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while Instant::now() < end && done.fetch_add(1, Ordering::Relaxed) < most {
                    let _ = lab.agent().run(&["true"]).ok();
                }
            });
        }
    });
    done.load(Ordering::Relaxed).min(most)
}
