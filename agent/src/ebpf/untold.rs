//! What was refused and no event has told of: attempts that came so soon after one that was reported that only the
//! counters have them.

use std::net::SocketAddr;

use agent_common::maps::{self, BLOCKED, Blocked, BlockedKey, Reason};
use aya::maps::{HashMap, Map, MapData};

use super::Error;
use super::dataplane::{Dataplane, unusable};
use crate::engine::event::Event;
use crate::engine::process::Process;

/// An event for each such attempt.
///
/// # Errors
/// If the map cannot be read.
pub fn untold(dataplane: &Dataplane) -> Result<Vec<Event>, Error> {
    let fd = dataplane.map_fd(BLOCKED)?.try_clone_to_owned().map_err(Error::Descriptor)?;
    let data = MapData::from_fd(fd).map_err(unusable(BLOCKED))?;
    let blocked: HashMap<_, BlockedKey, Blocked> = Map::LruHashMap(data).try_into().map_err(unusable(BLOCKED))?;
    Ok(blocked.iter().flatten().filter_map(|(key, blocked)| event(&key, &blocked)).collect())
}

fn event(key: &BlockedKey, blocked: &Blocked) -> Option<Event> {
    let unreported = blocked.packets.saturating_sub(blocked.reported);
    (unreported > 0).then_some(())?;
    Some(Event::AttemptBlocked {
        reason: Reason::from_u8(key.reason)?,
        protocol: key.protocol,
        ether_type: key.ether_type,
        dst: SocketAddr::new(maps::ip(key.dst), key.dst_port),
        packets: blocked.packets,
        folded: unreported - 1,
        process: Process::sender(&blocked.sender),
    })
}

#[cfg(test)]
mod tests {
    use agent_common::maps::{Blocked, BlockedKey, Reason};

    use super::event;
    use crate::engine::event::Event;

    #[test]
    fn what_was_told_is_not_told_again() {
        let key = BlockedKey { dst: [0; 4], dst_port: 9, ether_type: 0x86dd, protocol: 17, reason: 8, pad: [0; 2] };
        for (packets, reported, expect) in [(5, 5, None), (5, 1, Some(3)), (2, 1, Some(0)), (1, 2, None)] {
            let told = event(&key, &Blocked { packets, reported, ..Blocked::NONE });
            let folded = told.map(|event| match event {
                Event::AttemptBlocked { reason: Reason::Udp, packets: all, folded, .. } if all == packets => folded,
                other => panic!("{other:?}"),
            });
            assert_eq!(folded, expect);
        }
    }
}
