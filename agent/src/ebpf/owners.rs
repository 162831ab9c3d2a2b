//! The map `OWNERS`: which process opened a connection. The programs on the session's control group write it before the
//! SYN leaves.

use std::collections::HashSet;
use std::time::Duration;

use agent_common::maps::FlowKey;
use agent_common::owner::Owner;
use aya::maps::{HashMap, MapData};

use crate::engine::process::Process;

/// How much later than connect(2) the gateway may see the SYN.
const LATEST: Duration = Duration::from_secs(5);

/// The map.
pub(super) struct Owners(HashMap<MapData, FlowKey, Owner>);

impl Owners {
    pub(super) const fn new(map: HashMap<MapData, FlowKey, Owner>) -> Self {
        Self(map)
    }

    /// Who opened a flow.
    pub(super) fn process(&self, key: &FlowKey) -> Option<Process> {
        self.0.get(key, 0).ok().map(|owner| Process::from(&owner))
    }

    /// Forgets who opened a flow that is over.
    pub(super) fn remove(&mut self, key: &FlowKey) {
        // It may have none, or be gone already: nothing to do then.
        self.0.remove(key).unwrap_or_default();
    }

    /// Forgets those whose connection is in no flow and will be in none: its SYN was lost or never sent.
    pub(super) fn sweep(&mut self, flows: &HashSet<FlowKey>, now: Duration) {
        let without: Vec<FlowKey> = self.0.keys().flatten().filter(|key| !flows.contains(key)).collect();
        for key in &without {
            let connected = self.0.get(key, 0).map(|owner| Duration::from_nanos(owner.connected_ns));
            if connected.is_ok_and(|connected| now.saturating_sub(connected) > LATEST) {
                self.remove(key);
            }
        }
    }
}
