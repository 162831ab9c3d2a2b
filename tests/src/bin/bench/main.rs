//! `cargo xtask bench`: what the agent costs, beside the direct connection in the same run. Every figure is a median
//! with its range; the machine's noise is in both.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a measurement prints, fails where it fails, and rounds"
)]

mod capture;
mod latency;
mod rules;

use std::net::Ipv4Addr;
use std::time::Duration;

use agent_common::maps::{CONFIG, Config, PortAction, address, mac};
use agent_common::packet::{ACK, SYN};
use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions, loaded_programs};
use aya::sys::{Stats, enable_stats};
use aya::{Ebpf, EbpfLoader};
use nix::time::{ClockId, clock_gettime};
use tests::frames::{CHILD_MAC, V4, tcp};
use tests::procfs::status_of;
use tests::{Lab, Output, Session, eventually, tools};

/// How often each thing is measured.
const ROUNDS: usize = 5;
/// How often starting and ending is measured.
const STARTS: usize = 20;
/// Size of the bulk transfers.
const BULK: u64 = 1 << 30;
/// More than anything here takes, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("now") => return println!("{}", now().as_nanos()),
        Some("latency") => return latency::latencies(),
        Some("capture") => return capture::costs(&origin()),
        Some("rules") => return rules::costs(&origin()),
        _ => {}
    }
    let lab = origin();
    println!("{:<46} {:>12} {:>12} {:>12}", "", "median", "least", "most");
    starts(&lab, "tcx");
    starts(&lab, "clsact");
    // What recording costs is measured apart.
    let mut session = lab.agent().args(&["--no-capture"]).up();
    memory(&mut session);
    requests(&lab, &session);
    connections(&lab, &session);
    bulk(&lab, &session);
    programs(&session);
    session.down();
    attachments(&lab);
    packets();
    latency::latencies();
    rules::costs(&lab);
    capture::costs(&lab);
}

/// A lab whose origin has files for bulk transfers: `big`, and `middle` of 64 MiB.
fn origin() -> Lab {
    let lab = Lab::new();
    for (name, size) in [("big", BULK), ("middle", 64 << 20)] {
        std::fs::File::create(format!("{}/{name}", lab.www("origin.test"))).unwrap().set_len(size).unwrap();
    }
    lab
}

/// A clock that all processes of this machine share.
fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap().into()
}

/// From before `agent run` is executed to the command's first instruction, and from its last to the agent's end.
fn starts(lab: &Lab, attachment: &str) {
    let this = std::env::current_exe().unwrap();
    let (mut start, mut up, mut end) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let agent = lab.agent().args(&["--tc", attachment]);
        let before = now();
        let output = agent.spawn(&[this.to_str().unwrap(), "now"]).finish();
        let after = now();
        let first = Duration::from_nanos(output.ok().trim().parse().unwrap());
        start.push(millis(first - before));
        end.push(millis(after - first));
        up.extend(brought_up(&agent.log()));
    }
    print(&format!("agent run to the command's start ({attachment})"), "ms", &mut start);
    print("  of which namespaces, links and programs", "ms", &mut up);
    print("  command's end to agent's end", "ms", &mut end);
}

/// What the agent's log says about bringing the sandbox up, in milliseconds.
fn brought_up(log: &str) -> Option<f64> {
    let line = log.lines().find(|line| line.contains("the sandbox is up"))?;
    let microseconds: f64 = line.split("micros=").nth(1)?.split_whitespace().next()?.parse().ok()?;
    Some(microseconds / 1000.0)
}

fn memory(session: &mut Session<'_>) {
    let worker = session.worker();
    let supervisor = session.pid();
    let both = || megabytes(&status_of(supervisor, "VmRSS")) + megabytes(&status_of(worker, "VmRSS"));
    print("resident memory idle, both processes", "MiB", &mut [both()]);
    let load =
        session.spawn(&["h2load", "-n", "1000000", "-c", "1000", "-m", "1", "-D", "10", "https://origin.test/hello"]);
    let with_connections = eventually("1,000 connections are open", || {
        let open = session.stats()["connections"].as_array()?.iter().filter(|flow| flow["state"] == "open").count();
        (open >= 1000).then(both)
    });
    print("resident memory with 1,000 connections", "MiB", &mut [with_connections]);
    let _ = load.finish_within(PATIENCE).ok();
}

fn requests(lab: &Lab, session: &Session<'_>) {
    for (what, protocol) in [("HTTP/2", "--npn-list=h2"), ("HTTP/1.1", "--h1")] {
        let args = ["h2load", protocol, "-n", "20000", "-c", "20", "https://origin.test/hello"];
        compare(&format!("requests per second, {what}"), lab, session, &args, per_second);
    }
}

/// Each connection carries one request: a TCP and two TLS handshakes.
fn connections(lab: &Lab, session: &Session<'_>) {
    let tls = ["h2load", "-n", "500", "-c", "500", "https://origin.test/hello"];
    compare("TLS connections per second", lab, session, &tls, per_second);
    let plain = ["h2load", "--h1", "-n", "1000", "-c", "1000", "http://origin.test/hello"];
    compare("plain connections per second", lab, session, &plain, per_second);
}

fn bulk(lab: &Lab, session: &Session<'_>) {
    let ways = [
        ("TLS, HTTP/2", "https://origin.test/big", "--http2"),
        ("TLS, HTTP/1.1", "https://origin.test/big", "--http1.1"),
        ("plain HTTP", "http://origin.test/big", "--http1.1"),
        ("relayed TCP", "http://origin.test:8080/big", "--http1.1"),
    ];
    for (what, url, version) in ways {
        let args = ["curl", "-s", version, "-o", "/dev/null", "-w", "%{speed_download}", url];
        compare(&format!("MiB per second, {what}"), lab, session, &args, megabytes_per_second);
    }
}

/// Relayed TCP, the least that is done with a packet, with the programs attached one way and the other.
fn attachments(lab: &Lab) {
    for attachment in ["tcx", "clsact"] {
        let session = lab.agent().args(&["--tc", attachment]).up();
        let args = ["curl", "-s", "-o", "/dev/null", "-w", "%{speed_download}", "http://origin.test:8080/big"];
        let mut figures: Vec<f64> =
            (0..ROUNDS).map(|_| megabytes_per_second(&session.exec_within(PATIENCE, &args))).collect();
        print(&format!("MiB per second, relayed TCP ({attachment})"), "", &mut figures);
        session.down();
    }
}

/// The speed that curl was asked to write.
fn megabytes_per_second(output: &Output) -> f64 {
    output.ok().parse::<f64>().unwrap() / f64::from(1 << 20)
}

/// Measures a command in the session and on the host, turn by turn.
fn compare(what: &str, lab: &Lab, session: &Session<'_>, args: &[&str], read: impl Fn(&Output) -> f64) {
    let (mut through, mut direct) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        direct.push(read(&lab.direct(PATIENCE, args)));
        through.push(read(&session.exec_within(PATIENCE, args)));
    }
    print(what, "", &mut through);
    print("  direct", "", &mut direct);
    println!("  {:<44} {:>12.2}", "ratio of the medians", median(&through) / median(&direct));
}

/// Nanoseconds per run of each program while a bulk transfer and short requests pass: cold caches, interrupts and the
/// kernel's own bookkeeping for this are part of the figure.
fn programs(session: &Session<'_>) {
    let counted = enable_stats(Stats::RunTime).unwrap();
    let before = run_times();
    let _ = session.exec_within(PATIENCE, &["h2load", "-n", "20000", "-c", "20", "https://origin.test/hello"]).ok();
    let _ = session.exec_within(PATIENCE, &["curl", "-s", "-o", "/dev/null", "https://origin.test/big"]).ok();
    let after = run_times();
    drop(counted);
    for name in ["client_in", "client_out", "steer"] {
        let total = |times: &[(String, u64, u64)]| {
            let of = times.iter().filter(|(program, ..)| program == name);
            of.fold((0, 0), |(time, count), (_, more_time, more)| (time + more_time, count + more))
        };
        let ((time0, count0), (time1, count1)) = (total(&before), total(&after));
        let runs = (count1 - count0).max(1);
        print(&format!("{name} under load ({runs} runs)"), "ns", &mut [(time1 - time0) as f64 / runs as f64]);
    }
}

/// Nanoseconds per packet of an open connection, from `BPF_PROG_TEST_RUN`: the programs alone, and the kernel's loop.
fn packets() {
    let config = Config {
        child4: address(Ipv4Addr::new(10, 200, 1, 2).into()),
        child_mac: mac(CHILD_MAC),
        default_port: PortAction::Relay as u8,
        ..Config::UNSET
    };
    let mut loader = EbpfLoader::new();
    let mut ebpf = loader.override_global(CONFIG, &config, true).load(&tools::ebpf_object()).unwrap();
    let server = V4::to(Ipv4Addr::new(192, 0, 2, 1), 6);
    let reply = V4 { src: server.dst, dst: server.src, ..server.clone() };
    let open = server.frame(&tcp(5000, 443, 1, SYN, &[]));
    let data = server.frame(&tcp(5000, 443, 2, ACK, &[0; 1000]));
    let answer = reply.frame(&tcp(443, 5000, 2, ACK, &[0; 1000]));
    for name in ["client_in", "client_out"] {
        classifier(&mut ebpf, name).load().unwrap();
    }
    run(&mut ebpf, "client_in", &open, 1);
    for (name, frame) in [("client_in", &data), ("client_out", &answer)] {
        let mut figures: Vec<f64> = (0..ROUNDS).map(|_| run(&mut ebpf, name, frame, 1_000_000)).collect();
        print(&format!("{name} per packet"), "ns", &mut figures);
    }
}

fn run(ebpf: &mut Ebpf, name: &str, frame: &[u8], repeat: u32) -> f64 {
    let options = TestRunOptions { data_in: Some(frame), repeat, ..TestRunOptions::new() };
    classifier(ebpf, name).test_run(options).unwrap().duration.as_nanos() as f64
}

fn classifier<'a>(ebpf: &'a mut Ebpf, name: &str) -> &'a mut SchedClassifier {
    ebpf.program_mut(name).unwrap().try_into().unwrap()
}

/// Name, nanoseconds and runs of every program.
fn run_times() -> Vec<(String, u64, u64)> {
    let programs = loaded_programs().flatten();
    let figures = programs.map(|program| {
        let name = program.name_as_str().unwrap_or_default().to_owned();
        (name, u64::try_from(program.run_time().as_nanos()).unwrap(), program.run_count())
    });
    figures.collect()
}

/// The rate in h2load's summary.
fn per_second(output: &Output) -> f64 {
    let line = output.ok().lines().find(|line| line.starts_with("finished in")).unwrap();
    line.split(", ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

fn megabytes(kilobytes: &str) -> f64 {
    kilobytes.split(' ').next().unwrap().parse::<f64>().unwrap() / 1024.0
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print(what: &str, unit: &str, figures: &mut [f64]) {
    figures.sort_by(f64::total_cmp);
    let (least, most) = (figures.first().copied().unwrap_or(f64::NAN), figures.last().copied().unwrap_or(f64::NAN));
    println!("{what:<46} {:>12.1} {least:>12.1} {most:>12.1} {unit}", median(figures));
}
