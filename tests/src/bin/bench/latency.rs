//! What the agent adds to the time of one request, event or message, beside the direct connection. One at a time on an
//! open connection, and one on a new connection each.

use tests::{Lab, Output, Session, tools};

use super::{PATIENCE, ROUNDS, median};

/// How many of each are timed in a round.
const SAMPLES: &str = "2000";
/// How many new connections are timed in a round.
const CONNECTIONS: usize = 100;

/// A gRPC message: uncompressed, seven bytes.
const MESSAGE: &[u8] = b"\0\0\0\0\x07\x0a\x05hello";

/// Prints the figures for each carrier.
pub(super) fn latencies() {
    let row = ["p50 direct", "p50 through", "added", "p99 direct", "p99 through", "added"];
    for carrier in ["verbatim", "terminate"] {
        println!("\nmicroseconds, {carrier:<24}{}", row.map(|head| format!("{head:>12}")).concat());
        nginx(carrier);
        node(carrier);
    }
}

/// Requests to nginx.
fn nginx(carrier: &str) {
    let lab = Lab::new();
    let session = lab.agent().args(&["--carrier", carrier]).up();
    let (log, message) = (lab.scratch.file("h2load.log"), lab.scratch.write("message", MESSAGE));
    std::fs::write(format!("{}/grpc.bin", lab.www("origin.test")), MESSAGE).unwrap();
    let base = ["h2load", "-n", SAMPLES, "-c", "1", "-m", "1", "--log-file", &log];
    let unary = ["-d", &message, "-H", "content-type: application/grpc", "-H", "te: trailers"];
    let kinds: [(&str, &[&str], &str); 3] = [
        ("HTTP/1.1 request", &["--h1"], "https://origin.test/hello"),
        ("HTTP/2 request", &[], "https://origin.test/hello"),
        ("gRPC unary call", &unary, "https://origin.test/grpc"),
    ];
    for (what, options, url) in kinds {
        let args = [&base[..], options, &[url]].concat();
        compare(what, &lab, &session, &args, |output| logged(output, &log));
    }
    fresh(&lab, &session);
    session.down();
}

/// Requests on connections of their own. Either way the client trusts a file with one certificate: reading the system's
/// takes it longer than all the rest.
fn fresh(lab: &Lab, session: &Session<'_>) {
    let curl = "exec curl -s --http1.1 -H 'Connection: close' -w '\\n%{time_total}' --cacert \"$@\"";
    let through = format!("set -- \"$NODE_EXTRA_CA_CERTS\" \"$@\"; {curl}");
    let transfers = ["-o/dev/null", "https://origin.test/hello"].repeat(CONNECTIONS);
    let direct = [&["sh", "-c", curl, "sh", &lab.authority.cert][..], &transfers].concat();
    let through = [&["sh", "-c", &through, "sh"][..], &transfers].concat();
    let what = "request on a new connection";
    measure(what, || seconds(&lab.direct(PATIENCE, &direct)), || seconds(&session.exec_within(PATIENCE, &through)));
}

/// Events and messages of a server in node, timed by its client.
fn node(carrier: &str) {
    let mut lab = Lab::bare();
    lab.serve_dns();
    let program = tools::program("latency.js");
    let (cert, key) = lab.authority.issue(&lab.scratch, "stream.test", "DNS:stream.test");
    lab.serve(&["node", &program, "serve", &cert, &key]);
    let session = lab.agent().args(&["--carrier", carrier]).up();
    for (what, kind) in [("server-sent event, one way", "sse"), ("WebSocket message and echo", "websocket")] {
        let ca = format!("NODE_EXTRA_CA_CERTS={}", lab.authority.cert);
        let direct = ["env", &ca, "node", &program, kind, SAMPLES];
        let through = ["node", &program, kind, SAMPLES];
        measure(what, || numbers(&lab.direct(PATIENCE, &direct)), || numbers(&session.exec_within(PATIENCE, &through)));
    }
    session.down();
}

fn compare(what: &str, lab: &Lab, session: &Session<'_>, args: &[&str], read: impl Fn(&Output) -> Vec<f64>) {
    measure(what, || read(&lab.direct(PATIENCE, args)), || read(&session.exec_within(PATIENCE, args)));
}

/// Prints the medians of the rounds' percentiles.
fn measure(what: &str, direct: impl Fn() -> Vec<f64>, through: impl Fn() -> Vec<f64>) {
    let mut figures = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        for (place, samples) in [direct(), through()].into_iter().enumerate() {
            figures[place].push(percentile(&samples, 50));
            figures[2 + place].push(percentile(&samples, 99));
        }
    }
    let [direct50, through50, direct99, through99] = figures.map(|figures| median(&figures));
    let row = [direct50, through50, through50 - direct50, direct99, through99, through99 - direct99];
    println!("{what:<38}{}", row.map(|figure| format!("{figure:>12.0}")).concat());
}

fn percentile(samples: &[f64], percent: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) * percent / 100]
}

/// The durations that h2load logged, the first left out: it waited for the connection.
fn logged(output: &Output, log: &str) -> Vec<f64> {
    let _ = output.ok();
    let text = std::fs::read_to_string(log).unwrap();
    std::fs::remove_file(log).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').nth(2).unwrap().parse().unwrap()).collect()
}

/// curl's seconds, the first left out: it waited for the name.
fn seconds(output: &Output) -> Vec<f64> {
    output.ok().lines().skip(2).map(|line| line.parse::<f64>().unwrap() * 1_000_000.0).collect()
}

fn numbers(output: &Output) -> Vec<f64> {
    output.ok().lines().map(|line| line.parse().unwrap()).collect()
}
