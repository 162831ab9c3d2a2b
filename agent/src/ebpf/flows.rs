//! The table of connections, as the worker and the supervisor use it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Mutex;
use std::time::Duration;

use agent_common::maps::{self, Flow, FlowKey, Name, State};
use agent_common::owner::OWNERS;
use aya::maps::{HashMap, Map, MapData};

use super::Error;
use super::dataplane::{Dataplane, unusable};
use super::owners::Owners;
use crate::engine::process::Process;

/// The maps `FLOWS`, `NAMES` and `OWNERS`.
pub struct FlowTable {
    flows: HashMap<MapData, FlowKey, Flow>,
    names: Mutex<HashMap<MapData, FlowKey, Name>>,
    owners: Owners,
    ifindex: u32,
}

impl FlowTable {
    /// The table behind three descriptors.
    ///
    /// # Errors
    /// If they are not those maps.
    pub fn new(flows: OwnedFd, names: OwnedFd, owners: OwnedFd, ifindex: u32) -> Result<Self, Error> {
        let names = Mutex::new(open(maps::NAMES, names)?);
        Ok(Self { flows: open(maps::FLOWS, flows)?, names, owners: Owners::new(open(OWNERS, owners)?), ifindex })
    }

    /// The table of programs that this process loaded.
    ///
    /// # Errors
    /// If a descriptor cannot be duplicated.
    pub fn of(dataplane: &Dataplane, ifindex: u32) -> Result<Self, Error> {
        let fd = |name: &'static str| {
            let duplicate = dataplane.map_fd(name)?.as_fd().try_clone_to_owned();
            duplicate.map_err(|error| unusable(name)(error.into()))
        };
        Self::new(fd(maps::FLOWS)?, fd(maps::NAMES)?, fd(OWNERS)?, ifindex)
    }

    /// The flow of an accepted connection.
    #[must_use]
    pub fn lookup(&self, child: SocketAddr, dst: SocketAddr) -> Option<Flow> {
        self.flow(&FlowKey::tcp(child, dst, self.ifindex))
    }

    /// The flow under a key.
    #[must_use]
    pub fn flow(&self, key: &FlowKey) -> Option<Flow> {
        self.flows.get(key, 0).ok()
    }

    /// Who opened an accepted connection; `None` if it was no process of the session's control group.
    #[must_use]
    pub fn process(&self, child: SocketAddr, dst: SocketAddr) -> Option<Process> {
        self.owner(&FlowKey::tcp(child, dst, self.ifindex))
    }

    /// Who opened the connection under a key.
    #[must_use]
    pub fn owner(&self, key: &FlowKey) -> Option<Process> {
        self.owners.process(key)
    }

    /// Notes the name of a connection's server. A table that is full loses the name, nothing else.
    pub fn set_name(&self, child: SocketAddr, dst: SocketAddr, name: &str) {
        let key = FlowKey::tcp(child, dst, self.ifindex);
        if let Ok(mut names) = self.names.lock()
            && let Err(error) = names.insert(key, Name::new(name), 0)
        {
            tracing::warn!(%error, "a connection's name was not recorded");
        }
    }

    /// Removes what is over. `now` is the time of [`super::now`]. A table that fills up is swept harder.
    pub fn sweep(&mut self, now: Duration) {
        let entries: Vec<(FlowKey, Flow)> = self.flows.iter().flatten().collect();
        let crowded = entries.len() > maps::MAX_FLOWS as usize * 3 / 4;
        for (key, _) in entries.iter().filter(|(_, flow)| is_dead(flow, now, crowded)) {
            // Either may be gone already, or never have had a name: nothing to do then.
            self.flows.remove(key).unwrap_or_default();
            if let Ok(names) = self.names.get_mut() {
                names.remove(key).unwrap_or_default();
            }
            self.owners.remove(key);
        }
        let flows: HashSet<FlowKey> = entries.into_iter().map(|(key, _)| key).collect();
        self.owners.sweep(&flows, now);
    }
}

/// How long an entry stays after its last packet: long enough to be looked at, and for the last packets of a
/// connection in TIME_WAIT to be counted as its own.
fn is_dead(flow: &Flow, now: Duration, crowded: bool) -> bool {
    let idle = now.saturating_sub(Duration::from_nanos(flow.last_ns));
    let limit = match State::from_u8(flow.state) {
        Some(State::Closed | State::Reset) if crowded => Duration::from_secs(2),
        Some(State::Closed | State::Reset) => Duration::from_secs(60),
        Some(State::Opening) => Duration::from_secs(130),
        // The other half may go on for long; an entry that is removed too early loses counts, not the connection.
        Some(State::HalfClosed) => Duration::from_secs(3600),
        Some(State::Open) | None => return false,
    };
    idle > limit
}

/// Opens a hash map of flows.
pub(super) fn open<V: aya::Pod>(name: &'static str, fd: OwnedFd) -> Result<HashMap<MapData, FlowKey, V>, Error> {
    let data = MapData::from_fd(fd).map_err(unusable(name))?;
    HashMap::try_from(Map::HashMap(data)).map_err(unusable(name))
}
