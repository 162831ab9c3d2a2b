//! What a verdict costs: a request for the last of a thousand hosts, with a rule for each, and with none. A line for each
//! median, as `cargo xtask bench` prints them.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement prints, and fails where it fails")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use agent::config::file::{Around, parse};
use agent::engine::http::{Field, RequestHead};
use agent::engine::policy::rules::Rules;
use agent::engine::policy::rules::subject::ConnFacts;
use agent::engine::policy::{Mode, Policy};
use http::Method;

/// Hosts that rules name.
const RULES: usize = 1_000;
/// Verdicts of one round.
const VERDICTS: u32 = 100_000;
/// Nothing is named.
const AROUND: Around<'static> =
    Around { file: &|_| Ok(Vec::new()), variable: &|_| None, addresses: &|_| Ok(Vec::new()) };
/// Rounds, of which the median is told.
const ROUNDS: usize = 9;

fn main() {
    // Hosts that are named, and then expressions that all must be tried: the usual, and the worst.
    for (what, host) in [("named hosts", "h{}.example"), ("expressions", "~^h{}[.]example$")] {
        let rule = |n: usize| {
            let host = host.replace("{}", &n.to_string());
            format!(
                "[[rule]]\nmatch = {{ host = '{host}', method = ['GET', 'POST'], path = '/v1/**' }}\nverdict = 'allow'\n"
            )
        };
        let text: String = (0..RULES).map(rule).collect();
        let rules = parse(Path::new("rules.toml"), &text, &AROUND).unwrap().rules;
        println!("{:<46} {:>12.2} us", format!("verdict, {RULES} rules with {what}"), median(rules));
    }
    println!("{:<46} {:>12.2} us", "verdict, no rules", median(Rules::default()));
}

/// Microseconds of one verdict.
fn median(rules: Rules) -> f64 {
    let policy = Policy { rules, ..Policy::new(Mode::Observe) };
    let fields =
        [Field::new("user-agent", "bench"), Field::new("accept", "*/*"), Field::new("x-request-id", "0123456789")];
    let authority = format!("h{}.example", RULES - 1);
    let head = RequestHead::assembled("HTTP/2", Method::GET, ("https", &authority, "/v1/charges?limit=3"), &fields);
    let connection = ConnFacts::to(SocketAddr::from(([192, 0, 2, 1], 443)));
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..VERDICTS {
                black_box(policy.decide(black_box(&head), connection));
            }
            begun.elapsed().as_secs_f64() * 1e6 / f64::from(VERDICTS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
