//! `agent stats`: what the maps of a running session say, straight from the kernel.

use std::time::Duration;

use anyhow::Context as _;

use crate::ebpf::snapshot::PinnedMaps;
use crate::engine::process::Process;
use crate::engine::stats::{Attempt, Connection, Snapshot};
use crate::ui::table::{bytes, span, table};
use crate::{config, ebpf, ui};

/// How often `--watch` reads the maps.
const INTERVAL: Duration = Duration::from_secs(1);
/// Moves the cursor home and clears what is below it (ECMA-48), so that a watched table stays in place.
const HOME_AND_CLEAR: &str = "\x1b[H\x1b[J";

/// Prints the numbers once, or every second until the session ends. As JSON, each reading is one object on one line
/// when watched.
///
/// # Errors
/// If there is no such session or its maps cannot be read.
pub fn stats(name: &str, json: bool, watch: bool) -> anyhow::Result<()> {
    config::require_root("stats")?;
    let name = super::sessions::parse(name)?;
    let facts = super::exec::running(&name)?;
    let maps = PinnedMaps::open(&facts.maps)?;
    loop {
        let mut snapshot = maps.read(ebpf::now().context("cannot read the clock")?)?;
        super::naming::name(&mut snapshot, &facts.cgroup);
        match (json, watch) {
            (true, false) => super::sessions::print_json(&snapshot)?,
            (true, true) => ui::line(&serde_json::to_string(&snapshot).context("cannot write JSON")?),
            (false, false) => ui::text_out(&render(&snapshot)),
            (false, true) => ui::text_out(&format!("{HOME_AND_CLEAR}{}", render(&snapshot))),
        }
        if !watch {
            return Ok(());
        }
        std::thread::sleep(INTERVAL);
        if super::exec::running(&name).is_err() {
            return Ok(());
        }
    }
}

/// The whole reading as text.
fn render(snapshot: &Snapshot) -> String {
    let mut text = connections(&snapshot.connections);
    text.push_str(&format!(
        "\nsent {} in {} packets, received {} in {} packets, {} connections opened\n",
        bytes(snapshot.sent.bytes),
        snapshot.sent.packets,
        bytes(snapshot.received.bytes),
        snapshot.received.packets,
        snapshot.opened,
    ));
    if !snapshot.attempts.is_empty() {
        text.push_str(&format!("\n{}", attempts(&snapshot.attempts)));
    }
    let refused = snapshot.drops.iter().filter(|drops| drops.total.packets > 0);
    let refused: Vec<String> = refused.map(|drops| format!("{} {}", drops.reason, drops.total.packets)).collect();
    if !refused.is_empty() {
        text.push_str(&format!("\npackets refused: {}\n", refused.join(", ")));
    }
    if snapshot.events_lost > 0 {
        text.push_str(&format!("\n{} events were lost: nobody read them in time\n", snapshot.events_lost));
    }
    text
}

fn connections(connections: &[Connection]) -> String {
    let row = |connection: &Connection| {
        vec![
            connection.orig_dst.to_string(),
            connection.name.clone().unwrap_or_else(|| "-".into()),
            connection.process.as_ref().map_or_else(|| "-".into(), Process::label),
            connection.verdict.to_owned(),
            connection.state.to_owned(),
            span(connection.age_ns),
            bytes(connection.sent.bytes),
            connection.sent.packets.to_string(),
            bytes(connection.received.bytes),
            connection.received.packets.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = connections.iter().map(row).collect();
    let head = ["DESTINATION", "NAME", "PROCESS", "VERDICT", "STATE", "AGE", "SENT", "PACKETS", "RECEIVED", "PACKETS"];
    table(&head, &rows)
}

fn attempts(attempts: &[Attempt]) -> String {
    let row = |attempt: &Attempt| {
        vec![
            attempt.dst.to_string(),
            protocol(attempt),
            attempt.process.as_ref().map_or("-".into(), Process::label),
            attempt.reason.to_owned(),
            attempt.total.packets.to_string(),
            format!("{} ago", span(attempt.idle_ns)),
        ]
    };
    let rows: Vec<Vec<String>> = attempts.iter().map(row).collect();
    table(&["BLOCKED", "PROTOCOL", "PROCESS", "REASON", "PACKETS", "LATEST"], &rows)
}

/// The protocol by its usual name; a frame that is not IP is named by its EtherType.
fn protocol(attempt: &Attempt) -> String {
    match (attempt.protocol, attempt.ether_type) {
        (1, _) => "icmp".into(),
        (6, _) => "tcp".into(),
        (17, _) => "udp".into(),
        (58, _) => "icmpv6".into(),
        (132, _) => "sctp".into(),
        (0, 0x0806) => "arp".into(),
        (0, ether_type) => format!("ether {ether_type:#06x}"),
        (number, _) => format!("ip {number}"),
    }
}
