//! Names and layouts of the BPF maps, as the kernel programs and user space both see them.
//!
//! Every type is `#[repr(C)]` without implicit padding, so that it can be hashed and copied bytewise; the sizes are
//! asserted at compile time. Addresses are 16 bytes, IPv4 in its mapped form (`::ffff:a.b.c.d`, RFC 4291 section
//! 2.5.5.2). Ports are in host byte order. Times are nanoseconds of `CLOCK_MONOTONIC_COARSE`: reading it costs next to
//! nothing, and a tick's resolution is enough for what is made of it.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::owner::Sender;
pub use crate::refused::{Blocked, BlockedKey, Reason};

/// Map `FLOWS`: one entry for each TCP connection the child opened.
pub const FLOWS: &str = "FLOWS";
/// Map `NAMES`: the host name that a flow's bytes or a DNS answer gave, written by the worker.
pub const NAMES: &str = "NAMES";
/// Map `BLOCKED`: what was refused, one entry for each destination and reason.
pub const BLOCKED: &str = "BLOCKED";
/// Map `COUNTERS`: packets and bytes per [`Counter`].
pub const COUNTERS: &str = "COUNTERS";
/// Map `EVENTS`: the ring buffer of [`Event`].
pub const EVENTS: &str = "EVENTS";
/// Map `LISTENERS`: the sockets that `steer` assigns connections to, by [`Listener`].
pub const LISTENERS: &str = "LISTENERS";
/// Map `PORT_POLICY`: a [`PortAction`] for each TCP port.
pub const PORT_POLICY: &str = "PORT_POLICY";
/// Map `CIDR4`: IPv4 networks that are refused.
pub const CIDR4: &str = "CIDR4";
/// Map `CIDR6`: IPv6 networks that are refused.
pub const CIDR6: &str = "CIDR6";
/// Global `CONFIG`: the [`Config`] of this session, fixed at load time.
pub const CONFIG: &str = "CONFIG";

/// How many connections may be tracked at once; one more is refused with [`Reason::FlowTableFull`].
pub const MAX_FLOWS: u32 = 65_536;
/// How many refused destinations are remembered; the least recently used are forgotten.
pub const MAX_BLOCKED: u32 = 4_096;
/// How many networks each of `CIDR4` and `CIDR6` holds.
pub const MAX_CIDRS: u32 = 1_024;
/// Size of the event ring buffer in bytes: a power of two and a multiple of the page size.
pub const EVENTS_BYTES: u32 = 1 << 20;
/// A refused destination is reported at most this often, in nanoseconds; the attempts between are only counted.
pub const REPORT_INTERVAL_NS: u64 = 1_000_000_000;

/// An address in the form all maps use: IPv6, or IPv4 mapped into it, as four words in network byte order.
pub type Address = [u32; 4];

/// IP version 4, as [`FlowKey::family`] holds it.
pub const IPV4: u8 = 4;
/// IP version 6, as [`FlowKey::family`] holds it.
pub const IPV6: u8 = 6;

/// IANA protocol number of TCP.
pub const TCP: u8 = 6;
/// IANA protocol number of UDP.
pub const UDP: u8 = 17;

/// The IPv4-mapped form of an IPv4 address in network byte order.
#[inline(always)]
#[must_use]
pub const fn mapped_word(v4: u32) -> Address {
    [0, 0, 0xffff_u32.to_be(), v4]
}

/// `address` as the maps hold it.
#[must_use]
pub const fn address(address: IpAddr) -> Address {
    let v6 = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    [word(a, b), word(c, d), word(e, f), word(g, h)]
}

const fn word(high: u16, low: u16) -> u32 {
    ((high as u32) << 16 | low as u32).to_be()
}

/// The address that the maps hold as `address`, without the mapping.
#[must_use]
pub const fn ip(address: Address) -> IpAddr {
    let [a, b, c, d] = address;
    let high = (u32::from_be(a) as u128) << 96 | (u32::from_be(b) as u128) << 64;
    let low = (u32::from_be(c) as u128) << 32 | u32::from_be(d) as u128;
    Ipv6Addr::from_bits(high | low).to_canonical()
}

/// A hardware address as it lies in a frame.
#[must_use]
pub const fn mac(address: [u8; 6]) -> [u16; 3] {
    let [a, b, c, d, e, f] = address;
    [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]), u16::from_ne_bytes([e, f])]
}

/// What identifies a flow: the child's end, the destination it dialled, and the device they met on.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// The child's address.
    pub child: Address,
    /// The address that the child dialled.
    pub dst: Address,
    /// The child's port.
    pub child_port: u16,
    /// The port that the child dialled.
    pub dst_port: u16,
    /// Index of the gateway's end of the veth.
    pub ifindex: u32,
    /// IANA protocol number.
    pub protocol: u8,
    /// [`IPV4`] or [`IPV6`].
    pub family: u8,
    /// Always zero.
    pub pad: [u8; 2],
}

impl FlowKey {
    /// The key of the TCP connection between two socket addresses of one family, as the worker knows them.
    #[must_use]
    pub fn tcp(child: SocketAddr, dst: SocketAddr, ifindex: u32) -> Self {
        Self {
            child: address(child.ip()),
            dst: address(dst.ip()),
            child_port: child.port(),
            dst_port: dst.port(),
            ifindex,
            protocol: TCP,
            family: if dst.ip().to_canonical().is_ipv4() { IPV4 } else { IPV6 },
            pad: [0; 2],
        }
    }

    /// The child's socket address.
    #[must_use]
    pub const fn child(&self) -> SocketAddr {
        SocketAddr::new(ip(self.child), self.child_port)
    }

    /// The socket address that the child dialled.
    #[must_use]
    pub const fn dst(&self) -> SocketAddr {
        SocketAddr::new(ip(self.dst), self.dst_port)
    }
}

/// What `client_in` decided about a connection when it saw its SYN.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To the proxy, which sniffs, decrypts and forwards.
    Intercept = 1,
    /// To the proxy, which forwards the bytes unread.
    Relay = 2,
    /// To the DNS forwarder.
    Dns = 3,
}

impl Verdict {
    /// The verdict that a map value holds.
    #[must_use]
    pub const fn from_u8(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Intercept),
            2 => Some(Self::Relay),
            3 => Some(Self::Dns),
            _ => None,
        }
    }

    /// The stable name that output and documentation use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intercept => "intercept",
            Self::Relay => "relay",
            Self::Dns => "dns",
        }
    }
}

/// How far a connection has come, as the packets show it (RFC 9293 section 3.3.2, folded to what matters here).
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The child sent SYN.
    Opening = 1,
    /// The gateway answered with SYN and ACK.
    Open = 2,
    /// One side sent FIN.
    HalfClosed = 3,
    /// Both sides sent FIN.
    Closed = 4,
    /// One side sent RST.
    Reset = 5,
}

impl State {
    /// The state that a map value holds.
    #[must_use]
    pub const fn from_u8(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Opening),
            2 => Some(Self::Open),
            3 => Some(Self::HalfClosed),
            4 => Some(Self::Closed),
            5 => Some(Self::Reset),
            _ => None,
        }
    }

    /// The stable name that output and documentation use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Open => "open",
            Self::HalfClosed => "half-closed",
            Self::Closed => "closed",
            Self::Reset => "reset",
        }
    }
}

/// [`Flow::fins`]: the child sent FIN.
pub const FIN_FROM_CHILD: u32 = 1;
/// [`Flow::fins`]: the gateway sent FIN.
pub const FIN_TO_CHILD: u32 = 2;

/// One connection: its original destination, the verdict, and what has passed so far.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The original destination's address.
    pub orig_dst: Address,
    /// When the SYN was seen.
    pub first_ns: u64,
    /// When the last packet was seen.
    pub last_ns: u64,
    /// Bytes from the child, link layer included, as a capture on the veth counts them.
    pub bytes_out: u64,
    /// Bytes to the child.
    pub bytes_in: u64,
    /// Packets from the child, segments of a GSO packet counted one by one.
    pub packets_out: u64,
    /// Packets to the child.
    pub packets_in: u64,
    /// Sequence number of the SYN: tells a retransmitted SYN from a new connection on the same ports.
    pub syn_seq: u32,
    /// The original destination's port.
    pub orig_port: u16,
    /// A [`Verdict`].
    pub verdict: u8,
    /// A [`State`].
    pub state: u8,
    /// [`FIN_FROM_CHILD`] and [`FIN_TO_CHILD`], as seen.
    pub fins: u32,
    /// Always zero.
    pub pad: u32,
}

impl Flow {
    /// The original destination.
    #[must_use]
    pub const fn orig_dst(&self) -> SocketAddr {
        SocketAddr::new(ip(self.orig_dst), self.orig_port)
    }
}

/// A host name; what exceeds the DNS limit of 253 bytes (RFC 1035 section 2.3.4) is cut.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// How many of `bytes` are used.
    pub len: u8,
    /// The name, in ASCII.
    pub bytes: [u8; 255],
}

impl Name {
    /// `name`, cut to 255 bytes.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut bytes = [0; 255];
        let len = name.len().min(bytes.len());
        bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
        Self { len: u8::try_from(len).unwrap_or(u8::MAX), bytes }
    }

    /// The name, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(self.bytes.get(..usize::from(self.len))?).ok()
    }
}

/// Index into `COUNTERS`. The first entries are the [`Reason`]s, the totals follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Refused for this reason.
    Refused(Reason),
    /// Let in from the child.
    Out,
    /// Sent to the child.
    In,
    /// Connections opened; bytes stay zero.
    Opened,
    /// Events that the full ring buffer lost; bytes stay zero.
    EventsLost,
}

impl Counter {
    /// Where the totals begin; room for as many reasons as a `u8` is not needed, thirty-two are.
    const TOTALS: u32 = 32;
    /// How many entries `COUNTERS` has.
    pub const COUNT: u32 = Self::TOTALS + 4;

    /// The entry of this counter.
    #[inline(always)]
    #[must_use]
    pub const fn index(self) -> u32 {
        match self {
            Self::Refused(reason) => reason as u32,
            Self::Out => Self::TOTALS,
            Self::In => Self::TOTALS + 1,
            Self::Opened => Self::TOTALS + 2,
            Self::EventsLost => Self::TOTALS + 3,
        }
    }
}

/// One entry of `COUNTERS`, for one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets, segments of a GSO packet counted one by one.
    pub packets: u64,
    /// Bytes, link layer included.
    pub bytes: u64,
}

/// What an [`Event`] reports.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A connection was opened.
    Opened = 1,
    /// A connection ended; the totals are those up to its last FIN or RST.
    Closed = 2,
    /// An attempt was refused; the totals are those of all such attempts so far.
    Blocked = 3,
}

/// What has passed, at one moment.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The moment.
    pub ns: u64,
    /// Bytes from the child.
    pub bytes_out: u64,
    /// Bytes to the child.
    pub bytes_in: u64,
    /// Packets from the child.
    pub packets_out: u64,
    /// Packets to the child.
    pub packets_in: u64,
}

/// One record of the ring buffer `EVENTS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What had passed when it happened.
    pub totals: Totals,
    /// Packets refused since the last event about the same attempt, besides the one that this is about.
    pub folded: u64,
    /// Who made the attempt, where it was refused.
    pub sender: Sender,
    /// From where and where to; what the frame did not have is zero.
    pub key: FlowKey,
    /// EtherType of the frame.
    pub ether_type: u16,
    /// An [`EventKind`].
    pub kind: u8,
    /// A [`Reason`] where the kind is [`EventKind::Blocked`], else a [`State`].
    pub detail: u8,
}

/// What the policy says about a TCP port; an entry of `PORT_POLICY`.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortAction {
    /// What [`Config::default_port`] says.
    Default = 0,
    /// Let the proxy read it.
    Intercept = 1,
    /// Let the proxy forward it unread.
    Relay = 2,
    /// Refuse it.
    Refuse = 3,
}

impl PortAction {
    /// The action that a map value holds; what is unknown is refused.
    #[inline(always)]
    #[must_use]
    pub const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Default,
            1 => Self::Intercept,
            2 => Self::Relay,
            _ => Self::Refuse,
        }
    }
}

/// Index into `LISTENERS`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The proxy's listener for IPv4.
    Proxy4 = 0,
    /// The proxy's listener for IPv6.
    Proxy6 = 1,
    /// The DNS forwarder's TCP listener for IPv4.
    DnsTcp4 = 2,
    /// The DNS forwarder's TCP listener for IPv6.
    DnsTcp6 = 3,
    /// The DNS forwarder's UDP socket for IPv4.
    DnsUdp4 = 4,
    /// The DNS forwarder's UDP socket for IPv6.
    DnsUdp6 = 5,
}

impl Listener {
    /// How many entries `LISTENERS` has.
    pub const COUNT: u32 = 6;
}

/// What the programs of one session know about it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The child's IPv4 address, mapped.
    pub child4: Address,
    /// The child's IPv6 address.
    pub child6: Address,
    /// The gateway's IPv4 address, mapped.
    pub gateway4: Address,
    /// The gateway's IPv6 address.
    pub gateway6: Address,
    /// Index of the gateway's end of the veth.
    pub ifindex: u32,
    /// Hardware address of the child's end, as it lies in a frame; see [`mac`].
    pub child_mac: [u16; 3],
    /// A [`PortAction`] for ports that `PORT_POLICY` says nothing about.
    pub default_port: u8,
    /// Not zero if what is refused gets no answer.
    pub silent: u8,
}

impl Config {
    /// What the programs have before the loader tells them: nobody's addresses, and every port refused.
    pub const UNSET: Self = Self {
        child4: [0; 4],
        child6: [0; 4],
        gateway4: [0; 4],
        gateway6: [0; 4],
        ifindex: 0,
        child_mac: [0; 3],
        default_port: PortAction::Refuse as u8,
        silent: 0,
    };
}

const _: () = assert!(size_of::<FlowKey>() == 44);
const _: () = assert!(size_of::<Flow>() == 80);
const _: () = assert!(size_of::<Name>() == 256);
const _: () = assert!(size_of::<Count>() == 16);
const _: () = assert!(size_of::<Totals>() == 40);
const _: () = assert!(size_of::<Event>() == 136);
const _: () = assert!(size_of::<Config>() == 76);
