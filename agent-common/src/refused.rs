//! What is refused and why: keys and values of the map `BLOCKED`.
//!
//! As in [`maps`](crate::maps): `#[repr(C)]`, no implicit padding, sizes asserted.

use crate::maps::Address;
use crate::owner::Sender;

/// What identifies a refused attempt.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockedKey {
    /// The address that the child tried to reach; all zero where the frame had none.
    pub dst: Address,
    /// The port, or zero where the protocol has none.
    pub dst_port: u16,
    /// EtherType of the frame.
    pub ether_type: u16,
    /// IANA protocol number, or zero.
    pub protocol: u8,
    /// A [`Reason`].
    pub reason: u8,
    /// Always zero.
    pub pad: [u8; 2],
}

/// How often an attempt was refused.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Packets refused.
    pub packets: u64,
    /// Bytes refused.
    pub bytes: u64,
    /// First attempt.
    pub first_ns: u64,
    /// Latest attempt.
    pub last_ns: u64,
    /// Latest attempt for which an event was sent.
    pub reported_ns: u64,
    /// Packets that events have told of.
    pub reported: u64,
    /// Who made the latest attempt.
    pub sender: Sender,
}

impl Blocked {
    /// Nothing was refused yet.
    pub const NONE: Self =
        Self { packets: 0, bytes: 0, first_ns: 0, last_ns: 0, reported_ns: 0, reported: 0, sender: Sender::UNKNOWN };
}

/// Why a packet was refused.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Too short for the headers it announces.
    Malformed = 0,
    /// Neither IPv4 nor IPv6 (ARP included: neighbours are permanent).
    EtherType = 1,
    /// Carries a VLAN tag.
    Vlan = 2,
    /// The source is not the child's address, hardware or IP.
    Spoofed = 3,
    /// Carries IPv4 options.
    IpOptions = 4,
    /// Is an IPv4 fragment.
    Fragment = 5,
    /// Carries an IPv6 extension header.
    ExtensionHeader = 6,
    /// Neither TCP nor UDP.
    Protocol = 7,
    /// UDP that is not DNS.
    Udp = 8,
    /// A TCP port that the policy does not allow.
    Port = 9,
    /// A network that the policy does not allow.
    Network = 10,
    /// A port of the gateway itself.
    Gateway = 11,
    /// No room for one more connection.
    FlowTableFull = 12,
}

impl Reason {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 13] = [
        Self::Malformed,
        Self::EtherType,
        Self::Vlan,
        Self::Spoofed,
        Self::IpOptions,
        Self::Fragment,
        Self::ExtensionHeader,
        Self::Protocol,
        Self::Udp,
        Self::Port,
        Self::Network,
        Self::Gateway,
        Self::FlowTableFull,
    ];

    /// The reason that a map key or an event holds.
    #[must_use]
    pub fn from_u8(value: u8) -> Option<Self> {
        Self::ALL.get(usize::from(value)).copied()
    }

    /// The stable name that output and documentation use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::EtherType => "ether-type",
            Self::Vlan => "vlan",
            Self::Spoofed => "spoofed",
            Self::IpOptions => "ip-options",
            Self::Fragment => "fragment",
            Self::ExtensionHeader => "extension-header",
            Self::Protocol => "protocol",
            Self::Udp => "udp",
            Self::Port => "port",
            Self::Network => "network",
            Self::Gateway => "gateway",
            Self::FlowTableFull => "flow-table-full",
        }
    }
}

const _: () = assert!(size_of::<BlockedKey>() == 24);
const _: () = assert!(size_of::<Blocked>() == 88);
