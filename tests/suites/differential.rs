//! Random exchanges, played direct and through the agent: what either end receives is the same. Over the verbatim carrier
//! that is each byte of HTTP/1 and each frame of HTTP/2, over the terminating one what they mean.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::play::{CARRIERS, Stage};
use tests::{PYTHON, tools};

const SEEDS: u64 = 20;

/// Plays the seeds; what each end received of each.
fn records(run: impl FnOnce(&[&str]) -> tests::Output, net: &[String], version: &str, seeds: &Value) -> Value {
    let (program, net, seeds) = (tools::program("player/differential.py"), json!(net).to_string(), seeds.to_string());
    serde_json::from_str(run(&[PYTHON, "-B", &program, &net, version, &seeds]).ok()).unwrap()
}

fn compare(version: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seeds: Value = (0..SEEDS).chain([now]).collect();
    let stage = Stage::new();
    let trusting = [&stage.net[..], std::slice::from_ref(&stage.lab.authority.cert)].concat();
    let direct = records(
        |argv| tests::process::run(stage.lab.host.command(argv[0]).args(&argv[1..])),
        &trusting,
        version,
        &seeds,
    );
    for carrier in CARRIERS {
        let session = stage.session(carrier, &[]);
        let through = records(|argv| session.exec(argv), &stage.net, version, &seeds);
        for (seed, direct) in direct.as_object().unwrap() {
            let what = if carrier == "verbatim" { "exact" } else { "alike" };
            assert_eq!(through[seed][what], direct[what], "{carrier}, {version}: seed {seed}");
        }
        session.down();
    }
}

#[test]
fn http1_is_received_as_without_the_agent() {
    compare("h1");
}

#[test]
fn http2_is_received_as_without_the_agent() {
    compare("h2");
}
