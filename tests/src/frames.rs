//! Ethernet frames, made byte by byte.

use std::net::{Ipv4Addr, Ipv6Addr};

use agent_common::packet::Packet;

/// Hardware address of the session's end.
pub const CHILD_MAC: [u8; 6] = [2, 0xa9, 0xe7, 0, 0, 2];
/// Hardware address of the gateway's end.
pub const GATEWAY_MAC: [u8; 6] = [2, 0xa9, 0xe7, 0, 0, 1];

/// A frame as a slice, for [`agent_common`] to read.
pub struct Frame<'a>(pub &'a [u8]);

impl Packet for Frame<'_> {
    fn load16<const N: usize>(&self, offset: usize) -> Option<[u16; N]> {
        let words = self.0.get(offset..offset + 2 * N)?.as_chunks().0;
        Some(std::array::from_fn(|at| u16::from_ne_bytes(words[at])))
    }

    fn load32<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        let words = self.0.get(offset..offset + 4 * N)?.as_chunks().0;
        Some(std::array::from_fn(|at| u32::from_ne_bytes(words[at])))
    }

    fn has_vlan_tag(&self) -> bool {
        false
    }
}

/// A frame from `src` to the gateway.
#[must_use]
pub fn ethernet(src: [u8; 6], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&GATEWAY_MAC[..], &src, &ether_type.to_be_bytes(), payload].concat()
}

/// The parts of an IPv4 header that the tests vary.
#[derive(Clone)]
pub struct V4 {
    /// Source.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
    /// IANA protocol number.
    pub protocol: u8,
    /// Flags and fragment offset.
    pub fragment: u16,
    /// Options, a multiple of four bytes.
    pub options: Vec<u8>,
}

impl V4 {
    /// An ordinary packet from the session's address.
    #[must_use]
    pub fn to(dst: Ipv4Addr, protocol: u8) -> Self {
        const DONT_FRAGMENT: u16 = 0x4000;
        Self { src: Ipv4Addr::new(10, 200, 1, 2), dst, protocol, fragment: DONT_FRAGMENT, options: Vec::new() }
    }

    /// The packet (RFC 791 section 3.1), without a checksum: nothing here looks at it.
    ///
    /// # Panics
    /// If it is longer than IPv4 can say.
    #[must_use]
    pub fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let header = 20 + self.options.len();
        let length = u16::try_from(header + payload.len()).unwrap().to_be_bytes();
        let first = 0x40 | u8::try_from(header / 4).unwrap();
        let fragment = self.fragment.to_be_bytes();
        let fixed = [first, 0, length[0], length[1], 0, 1, fragment[0], fragment[1], 64, self.protocol, 0, 0];
        [&fixed[..], &self.src.octets(), &self.dst.octets(), &self.options, payload].concat()
    }

    /// The packet in a frame of the session's.
    #[must_use]
    pub fn frame(&self, payload: &[u8]) -> Vec<u8> {
        ethernet(CHILD_MAC, 0x0800, &self.packet(payload))
    }
}

/// An IPv6 packet (RFC 8200 section 3) in a frame of the session's.
///
/// # Panics
/// If it is longer than IPv6 can say.
#[must_use]
pub fn v6(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let fixed = [0x60, 0, 0, 0, length[0], length[1], next_header, 64];
    ethernet(CHILD_MAC, 0x86dd, &[&fixed[..], &src.octets(), &dst.octets(), payload].concat())
}

/// A TCP segment (RFC 9293 section 3.1).
#[must_use]
pub fn tcp(src: u16, dst: u16, seq: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let window = [0xff, 0xff, 0, 0, 0, 0];
    [&src.to_be_bytes()[..], &dst.to_be_bytes(), &seq.to_be_bytes(), &[0; 4], &[0x50, flags], &window, payload].concat()
}

/// A UDP datagram (RFC 768).
///
/// # Panics
/// If it is longer than UDP can say.
#[must_use]
pub fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    [&src.to_be_bytes()[..], &dst.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}
