//! What recording costs: beside the same session that records nothing, turn by turn.

use std::fs;
use std::path::Path;

use serde_json::json;
use tests::procfs::status_of;
use tests::{Lab, Output, Session, tools};

use crate::{PATIENCE, ROUNDS, median, megabytes, megabytes_per_second, per_second, print};

/// Exchanges of the long run.
const MANY: u64 = 1_000_000;
/// Exchanges that are searched.
const SEARCHED: u64 = 100_000;

/// All of it.
pub(crate) fn costs(lab: &Lab) {
    let (mut on, mut off) = (lab.agent().up(), lab.agent().args(&["--no-capture"]).up());
    for (what, protocol) in [("HTTP/2", "--npn-list=h2"), ("HTTP/1.1", "--h1")] {
        let args = ["h2load", protocol, "-n", "20000", "-c", "20", "https://origin.test/hello"];
        compare(
            &format!("requests per second, {what}, recorded"),
            "  not recorded",
            &mut on,
            &mut off,
            &args,
            per_second,
        );
    }
    for (what, path) in [("64 MiB", "middle"), ("1 GiB, of which 64 MiB are kept", "big")] {
        let url = format!("https://origin.test/{path}");
        let args = ["curl", "-s", "-o", "/dev/null", "-w", "%{speed_download}", &url];
        compare(
            &format!("MiB per second, {what}, recorded"),
            "  not recorded",
            &mut on,
            &mut off,
            &args,
            megabytes_per_second,
        );
    }
    on.down();
    off.down();
    many(lab);
    search(lab);
}

/// Measures a command in both sessions, turn by turn.
pub(crate) fn compare(
    what: &str,
    beside: &str,
    on: &mut Session<'_>,
    off: &mut Session<'_>,
    args: &[&str],
    read: impl Fn(&Output) -> f64,
) {
    let (mut recorded, mut not) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        not.push(read(&off.exec_within(PATIENCE, args)));
        recorded.push(read(&on.exec_within(PATIENCE, args)));
    }
    print(what, "", &mut recorded);
    print(beside, "", &mut not);
    println!("  {:<44} {:>12.2}", "ratio of the medians", median(&recorded) / median(&not));
}

/// A million exchanges: what they take on the disk, and what the worker takes meanwhile.
fn many(lab: &Lab) {
    let mut session = lab.agent().up();
    let worker = session.worker();
    let resident = || megabytes(&status_of(worker, "VmRSS"));
    let capture = session.capture();
    let tenth = (MANY / 10).to_string();
    let args = ["h2load", "--npn-list=h2", "-n", &tenth, "-c", "10", "-m", "10", "https://origin.test/hello"];
    let mut sizes = Vec::new();
    for _ in 0..10 {
        let _ = session.exec_within(PATIENCE, &args).ok();
        sizes.push(resident());
    }
    capture.wait("SELECT count(*) FROM exchanges WHERE finished IS NOT NULL", &json!(MANY));
    print(&format!("resident memory, each tenth of {MANY} exchanges"), "MiB", &mut sizes);
    let path = capture.path().to_owned();
    session.down();
    print("  bytes of the capture for each", "", &mut [size(&path) as f64 / MANY as f64]);
}

/// How long it takes to find a word in the bodies of a hundred thousand exchanges, all different.
fn search(lab: &Lab) {
    let session = lab.agent().up();
    let capture = session.capture();
    let count = SEARCHED.to_string();
    let client = tools::program("echo_many.js");
    let _ = session.exec_within(PATIENCE, &["node", &client, &count]).ok();
    capture.wait("SELECT count(*) FROM exchanges WHERE finished IS NOT NULL", &json!(SEARCHED));
    let directory = capture.path().to_str().unwrap();
    let mut figures = Vec::new();
    for _ in 0..ROUNDS {
        let output = session.agent(&["flows", "--session", directory, "--grep", "needle 77777 ", "--json"]);
        assert!(output.ok().contains("\"id\""), "{output:#?}");
        figures.push(output.took.as_secs_f64() * 1000.0);
    }
    print(&format!("agent flows --grep over {SEARCHED} exchanges"), "ms", &mut figures);
    session.down();
}

fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().flatten();
    entries.map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() }).sum()
}
