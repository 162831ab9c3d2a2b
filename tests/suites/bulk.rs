//! A gibibyte in each direction: every byte right, and the worker's memory as it was.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::Duration;

use tests::procfs::peak_kib;
use tests::{Lab, Session, process, tools};

const SIZE: u64 = 1 << 30;
/// How much the worker may grow while a gibibyte passes.
const GROWTH_KIB: u64 = 32 << 10;
const LIMIT: Duration = Duration::from_secs(180);

/// Writes a file whose every eight bytes differ from all others (a linear congruential generator, full period).
fn fill(path: &str) {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut word: u64 = 1;
    for _ in 0..SIZE / 8 {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.write_all(&word.to_le_bytes()).unwrap();
    }
    out.flush().unwrap();
}

fn flat<T>(session: &mut Session<'_>, transfer: impl FnOnce(&Session<'_>) -> T) -> T {
    // What is made once is made before.
    session.exec(&["curl", "-sS", "https://origin.test/hello"]).ok();
    let worker = session.worker();
    let before = peak_kib(worker);
    let result = transfer(session);
    let grown = peak_kib(worker) - before;
    assert!(grown < GROWTH_KIB, "the worker grew by {grown} KiB from {before} KiB");
    result
}

#[test]
fn a_gibibyte_down_and_up_is_byte_exact_with_flat_memory() {
    let lab = Lab::new();
    let (big, copy) = (format!("{}/big", lab.www("origin.test")), format!("{}/upload/big", lab.www("origin.test")));
    fill(&big);
    let sum = process::run(tools::command("sha256sum").arg(&big));
    let sum = sum.ok().split(' ').next().unwrap();
    let mut session = lab.agent().up();
    for version in ["--http2", "--http1.1"] {
        let script = format!("curl -sSf {version} https://origin.test/big | sha256sum");
        let output = flat(&mut session, |session| session.exec_within(LIMIT, &["sh", "-c", &script]));
        assert!(output.ok().starts_with(sum), "{version}: {output:#?}");
        let upload = ["curl", "-sSf", version, "-H", "Expect:", "-T", &big, "https://origin.test/upload/big"];
        flat(&mut session, |session| session.exec_within(LIMIT, &upload)).ok();
        let same = process::Process::spawn(tools::command("cmp").args([&big, &copy])).finish_within(LIMIT);
        same.ok();
        std::fs::remove_file(&copy).unwrap();
    }
    session.down();
}
