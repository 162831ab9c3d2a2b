//! Live numbers of a session, as `agent stats` prints them. Field names are a stable interface.

use std::net::SocketAddr;

use serde::Serialize;

use super::process::Process;

/// Everything the maps say at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// Connections, oldest first; ended ones stay for a minute.
    pub connections: Vec<Connection>,
    /// What was refused, by destination and reason.
    pub attempts: Vec<Attempt>,
    /// Packets and bytes refused, for every reason there is.
    pub drops: Vec<Drops>,
    /// Let in from the session's programs, since the session began.
    pub sent: Total,
    /// Sent to the session's programs, since the session began.
    pub received: Total,
    /// Connections opened, since the session began.
    pub opened: u64,
    /// Kernel events that were lost because nobody read them in time.
    pub events_lost: u64,
}

/// One connection.
#[derive(Clone, Debug, Serialize)]
pub struct Connection {
    /// The program's end.
    pub child: SocketAddr,
    /// What the program dialled.
    pub orig_dst: SocketAddr,
    /// The server's name, where the connection or a DNS answer gave one.
    pub name: Option<String>,
    /// Who opened it; none if that was no process of the session's control group.
    pub process: Option<Process>,
    /// `intercept`, `relay` or `dns`.
    pub verdict: &'static str,
    /// `opening`, `open`, `half-closed`, `closed` or `reset`.
    pub state: &'static str,
    /// Nanoseconds since it was opened.
    pub age_ns: u64,
    /// Nanoseconds since its last packet.
    pub idle_ns: u64,
    /// From the program.
    pub sent: Total,
    /// To the program.
    pub received: Total,
}

/// One destination that was refused.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// Why, as docs/architecture.md lists the reasons.
    pub reason: &'static str,
    /// IANA protocol number, or zero.
    pub protocol: u8,
    /// EtherType of the frame.
    pub ether_type: u16,
    /// Where to; the port is zero where the protocol has none.
    pub dst: SocketAddr,
    /// Who tried last, as far as the kernel tells.
    pub process: Option<Process>,
    /// How much.
    pub total: Total,
    /// Nanoseconds since the first attempt.
    pub age_ns: u64,
    /// Nanoseconds since the latest attempt.
    pub idle_ns: u64,
}

/// What was refused for one reason.
#[derive(Clone, Debug, Serialize)]
pub struct Drops {
    /// The reason.
    pub reason: &'static str,
    /// How much.
    #[serde(flatten)]
    pub total: Total,
}

/// Packets, segments of a GSO packet counted one by one, and bytes, link layer included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}
