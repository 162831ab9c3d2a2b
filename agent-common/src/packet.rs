//! Reads the headers of one Ethernet frame, in the kernel and on the host alike.
//!
//! Nothing here decides: a frame becomes [`Headers`], or the [`Reason`] why it cannot.

use core::hint::black_box;

use crate::maps::{Address, FlowKey, IPV4, IPV6, Reason, TCP, UDP, mapped_word};

/// Access to the bytes of a frame.
pub trait Packet {
    /// Copies `N` words of 16 bits from `offset`, in the byte order in which they lie there, or `None` if the frame is
    /// shorter.
    fn load16<const N: usize>(&self, offset: usize) -> Option<[u16; N]>;

    /// The same for words of 32 bits. Words, not bytes: the kernel program has no cheaper way to move an address.
    fn load32<const N: usize>(&self, offset: usize) -> Option<[u32; N]>;

    /// Whether the kernel took a VLAN tag off the frame.
    fn has_vlan_tag(&self) -> bool;
}

/// TCP header flag FIN (RFC 9293 section 3.1).
pub const FIN: u8 = 0x01;
/// TCP header flag SYN.
pub const SYN: u8 = 0x02;
/// TCP header flag RST.
pub const RST: u8 = 0x04;
/// TCP header flag ACK.
pub const ACK: u8 = 0x10;

/// EtherType of IPv4.
pub const ETH_IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const ETH_IPV6: u16 = 0x86dd;

const ETH_LEN: usize = 14;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
const TCP_LEN: usize = 20;
const UDP_LEN: usize = 8;

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Sent by the child.
    Out,
    /// Sent to the child.
    In,
}

/// The headers of a frame. What could not be read is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Hardware source address, as it lies in the frame.
    pub src_mac: [u16; 3],
    /// EtherType.
    pub ether_type: u16,
    /// Addresses, ports and protocol, as the flow of the frame has them.
    pub key: FlowKey,
    /// TCP sequence number.
    pub seq: u32,
    /// TCP flags: [`FIN`], [`SYN`], [`RST`], [`ACK`] and others.
    pub flags: u8,
}

impl Headers {
    /// No headers yet, on the device with this index.
    #[inline(always)]
    #[must_use]
    pub fn new(ifindex: u32) -> Self {
        // Hidden from the compiler, which would make the kernel program call a function that clears byte by byte.
        let zero = black_box(0_u32);
        let key = FlowKey {
            child: [zero; 4],
            dst: [zero; 4],
            child_port: 0,
            dst_port: 0,
            ifindex,
            protocol: 0,
            family: 0,
            pad: [0; 2],
        };
        Self { src_mac: [0; 3], ether_type: 0, key, seq: zero, flags: 0 }
    }

    #[inline(always)]
    fn set_addresses(&mut self, direction: Direction, src: Address, dst: Address) {
        (self.key.child, self.key.dst) = match direction {
            Direction::Out => (src, dst),
            Direction::In => (dst, src),
        };
    }

    #[inline(always)]
    fn set_ports(&mut self, direction: Direction, src: u16, dst: u16) {
        (self.key.child_port, self.key.dst_port) = match direction {
            Direction::Out => (src, dst),
            Direction::In => (dst, src),
        };
    }
}

/// Reads the headers of `packet` into `headers`, as far as they can be read.
///
/// # Errors
/// The reason why the frame is not one that plain TCP or UDP could be: tagged, neither IPv4 nor IPv6, with options,
/// fragments or extension headers, of another protocol, or too short.
#[inline(always)]
pub fn parse(packet: &impl Packet, direction: Direction, headers: &mut Headers) -> Result<(), Reason> {
    let eth: [u16; ETH_LEN / 2] = packet.load16(0).ok_or(Reason::Malformed)?;
    headers.src_mac = [eth[3], eth[4], eth[5]];
    headers.ether_type = u16::from_be(eth[6]);
    if packet.has_vlan_tag() {
        return Err(Reason::Vlan);
    }
    let offset = match headers.ether_type {
        ETH_IPV4 => ipv4(packet, direction, headers)?,
        ETH_IPV6 => ipv6(packet, direction, headers)?,
        _ => return Err(Reason::EtherType),
    };
    match headers.key.protocol {
        TCP => tcp(packet, offset, direction, headers),
        UDP => udp(packet, offset, direction, headers),
        _ => Err(Reason::Protocol),
    }
}

/// RFC 791 section 3.1; returns where the transport header begins. Total length is not checked: it is zero in a GSO
/// packet above 64 KiB.
#[inline(always)]
fn ipv4(packet: &impl Packet, direction: Direction, headers: &mut Headers) -> Result<usize, Reason> {
    let ip: [u32; IPV4_LEN / 4] = packet.load32(ETH_LEN).ok_or(Reason::Malformed)?;
    let [version, _, _, _] = ip[0].to_ne_bytes();
    let [_, protocol, _, _] = ip[2].to_ne_bytes();
    headers.key.family = IPV4;
    headers.key.protocol = protocol;
    headers.set_addresses(direction, mapped_word(ip[3]), mapped_word(ip[4]));
    match version {
        0x45 => {}
        0x46..=0x4f => return Err(Reason::IpOptions),
        _ => return Err(Reason::Malformed),
    }
    // More-fragments bit or a fragment offset; the reserved and don't-fragment bits may be set.
    if u32::from_be(ip[1]) & 0x3fff != 0 {
        return Err(Reason::Fragment);
    }
    Ok(ETH_LEN + IPV4_LEN)
}

/// RFC 8200 section 3; returns where the transport header begins.
#[inline(always)]
fn ipv6(packet: &impl Packet, direction: Direction, headers: &mut Headers) -> Result<usize, Reason> {
    let ip: [u32; IPV6_LEN / 4] = packet.load32(ETH_LEN).ok_or(Reason::Malformed)?;
    if u32::from_be(ip[0]) >> 28 != 6 {
        return Err(Reason::Malformed);
    }
    let [_, _, protocol, _] = ip[1].to_ne_bytes();
    headers.key.family = IPV6;
    headers.key.protocol = protocol;
    headers.set_addresses(direction, [ip[2], ip[3], ip[4], ip[5]], [ip[6], ip[7], ip[8], ip[9]]);
    match protocol {
        // Hop-by-hop, routing, fragment, authentication, no next header, destination options, mobility, HIP, shim6.
        0 | 43 | 44 | 51 | 59 | 60 | 135 | 139 | 140 => Err(Reason::ExtensionHeader),
        _ => Ok(ETH_LEN + IPV6_LEN),
    }
}

/// RFC 9293 section 3.1.
#[inline(always)]
fn tcp(packet: &impl Packet, offset: usize, direction: Direction, headers: &mut Headers) -> Result<(), Reason> {
    let tcp: [u32; TCP_LEN / 4] = packet.load32(offset).ok_or(Reason::Malformed)?;
    let ports = u32::from_be(tcp[0]);
    headers.set_ports(direction, (ports >> 16) as u16, ports as u16);
    headers.seq = u32::from_be(tcp[1]);
    let [_, flags, _, _] = tcp[3].to_ne_bytes();
    headers.flags = flags;
    Ok(())
}

/// RFC 768.
#[inline(always)]
fn udp(packet: &impl Packet, offset: usize, direction: Direction, headers: &mut Headers) -> Result<(), Reason> {
    let udp: [u32; UDP_LEN / 4] = packet.load32(offset).ok_or(Reason::Malformed)?;
    let ports = u32::from_be(udp[0]);
    headers.set_ports(direction, (ports >> 16) as u16, ports as u16);
    Ok(())
}
