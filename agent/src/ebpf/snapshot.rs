//! What the pinned maps say at one moment.

use std::path::Path;
use std::time::Duration;

use agent_common::maps::{
    BLOCKED, Blocked, BlockedKey, COUNTERS, Count, Counter, FLOWS, Flow, FlowKey, NAMES, Name, Reason, State, Verdict,
};
use agent_common::owner::OWNERS;
use aya::maps::{HashMap, Map, MapData, PerCpuArray};

use super::Error;
use super::dataplane::unusable;
use super::owners::Owners;
use crate::engine::process::Process;
use crate::engine::stats::{Attempt, Connection, Drops, Snapshot, Total};

/// The pinned maps of a session, opened once and read as often as wanted.
pub struct PinnedMaps {
    flows: HashMap<MapData, FlowKey, Flow>,
    names: HashMap<MapData, FlowKey, Name>,
    owners: Owners,
    blocked: HashMap<MapData, BlockedKey, Blocked>,
    counters: PerCpuArray<MapData, Count>,
}

impl PinnedMaps {
    /// Opens the maps pinned in `directory`.
    ///
    /// # Errors
    /// If they are not there or may not be read.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let data = |name: &'static str| MapData::from_pin(directory.join(name)).map_err(unusable(name));
        Ok(Self {
            flows: Map::HashMap(data(FLOWS)?).try_into().map_err(unusable(FLOWS))?,
            names: Map::HashMap(data(NAMES)?).try_into().map_err(unusable(NAMES))?,
            owners: Owners::new(Map::HashMap(data(OWNERS)?).try_into().map_err(unusable(OWNERS))?),
            blocked: Map::LruHashMap(data(BLOCKED)?).try_into().map_err(unusable(BLOCKED))?,
            counters: Map::PerCpuArray(data(COUNTERS)?).try_into().map_err(unusable(COUNTERS))?,
        })
    }

    /// Reads everything. `now` is the time of [`super::now`]. An entry that goes while it is read is left out.
    ///
    /// # Errors
    /// If the counters cannot be read.
    pub fn read(&self, now: Duration) -> Result<Snapshot, Error> {
        let now_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let mut connections: Vec<Connection> =
            self.flows.iter().flatten().map(|(key, flow)| self.connection(&key, &flow, now_ns)).collect();
        connections.sort_by_key(|connection| std::cmp::Reverse(connection.age_ns));
        let mut attempts: Vec<Attempt> =
            self.blocked.iter().flatten().filter_map(|(key, blocked)| attempt(&key, &blocked, now_ns)).collect();
        attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.age_ns));
        let mut drops = Vec::new();
        for reason in Reason::ALL {
            let total = self.total(Counter::Refused(reason))?;
            drops.push(Drops { reason: reason.name(), total });
        }
        Ok(Snapshot {
            connections,
            attempts,
            drops,
            sent: self.total(Counter::Out)?,
            received: self.total(Counter::In)?,
            opened: self.total(Counter::Opened)?.packets,
            events_lost: self.total(Counter::EventsLost)?.packets,
        })
    }

    fn connection(&self, key: &FlowKey, flow: &Flow, now_ns: u64) -> Connection {
        let name = self.names.get(key, 0).ok();
        Connection {
            child: key.child(),
            orig_dst: flow.orig_dst(),
            name: name.and_then(|name| name.as_str().map(str::to_owned)),
            process: self.owners.process(key),
            verdict: Verdict::from_u8(flow.verdict).map_or("unknown", Verdict::name),
            state: State::from_u8(flow.state).map_or("unknown", State::name),
            age_ns: now_ns.saturating_sub(flow.first_ns),
            idle_ns: now_ns.saturating_sub(flow.last_ns),
            sent: Total { packets: flow.packets_out, bytes: flow.bytes_out },
            received: Total { packets: flow.packets_in, bytes: flow.bytes_in },
        }
    }

    fn total(&self, counter: Counter) -> Result<Total, Error> {
        let per_cpu = self.counters.get(&counter.index(), 0).map_err(unusable(COUNTERS))?;
        let add = |total: Total, count: &Count| Total {
            packets: total.packets + count.packets,
            bytes: total.bytes + count.bytes,
        };
        Ok(per_cpu.iter().fold(Total::default(), add))
    }
}

fn attempt(key: &BlockedKey, blocked: &Blocked, now_ns: u64) -> Option<Attempt> {
    Some(Attempt {
        reason: Reason::from_u8(key.reason)?.name(),
        protocol: key.protocol,
        ether_type: key.ether_type,
        dst: std::net::SocketAddr::new(agent_common::maps::ip(key.dst), key.dst_port),
        process: Process::sender(&blocked.sender),
        total: Total { packets: blocked.packets, bytes: blocked.bytes },
        age_ns: now_ns.saturating_sub(blocked.first_ns),
        idle_ns: now_ns.saturating_sub(blocked.last_ns),
    })
}
