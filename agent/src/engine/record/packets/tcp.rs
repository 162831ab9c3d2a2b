//! One TCP connection (RFC 9293) in Ethernet frames: handshake, segments, end; every byte is acknowledged by the next
//! packet of the other side. Checksums are right.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use agent_common::packet::Direction as Way;

use crate::engine::record::pcapng::{Packet, packet};

/// What a frame of Ethernet carries at most (the session's veth).
const MTU: usize = 1_500;
/// Bytes of a TCP header without options.
const TCP: usize = 20;
/// Both addresses, the server's behind the child's.
const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1]];

const FIN: u8 = 1;
const SYN: u8 = 2;
const PSH: u8 = 8;
const ACK: u8 = 16;
const WINDOW: u16 = 65_535;
/// Microseconds between packets of one moment, so that their order can be seen.
const STEP: i64 = 1;

/// A connection.
pub(super) struct Tcp {
    child: SocketAddr,
    server: SocketAddr,
    /// What each side sends next; the child's is the first.
    next: [u32; 2],
    now: i64,
}

impl Tcp {
    pub(super) const fn new(child: SocketAddr, server: SocketAddr, now: i64) -> Self {
        Self { child, server, next: [0, 0], now }
    }

    /// The handshake.
    pub(super) fn open(&mut self, comments: &[String], out: &mut Vec<u8>) {
        self.segment(Way::Out, SYN, &[], comments, out);
        self.segment(Way::In, SYN | ACK, &[], &[], out);
        self.segment(Way::Out, ACK, &[], &[], out);
    }

    /// Bytes of one side, at this time or right after what came before.
    pub(super) fn send(&mut self, at: i64, way: Way, bytes: &[u8], out: &mut Vec<u8>) {
        self.now = self.now.max(at);
        let room = MTU - TCP - if self.is_ipv6() { 40 } else { 20 };
        let mut chunks = bytes.chunks(room).peekable();
        while let Some(chunk) = chunks.next() {
            let flags = if chunks.peek().is_none() { ACK | PSH } else { ACK };
            self.segment(way, flags, chunk, &[], out);
        }
    }

    /// The end, at this time if it is known.
    pub(super) fn close(&mut self, at: Option<i64>, out: &mut Vec<u8>) {
        self.now = self.now.max(at.unwrap_or(self.now));
        self.segment(Way::Out, FIN | ACK, &[], &[], out);
        self.segment(Way::In, FIN | ACK, &[], &[], out);
        self.segment(Way::Out, ACK, &[], &[], out);
    }

    const fn is_ipv6(&self) -> bool {
        matches!((self.child, self.server), (SocketAddr::V6(_), _) | (_, SocketAddr::V6(_)))
    }

    fn segment(&mut self, way: Way, flags: u8, payload: &[u8], comments: &[String], out: &mut Vec<u8>) {
        let (own, other, from, to) = match way {
            Way::Out => (0, 1, self.child, self.server),
            Way::In => (1, 0, self.server, self.child),
        };
        let acknowledged = if flags & ACK == 0 { 0 } else { self.next[other] };
        let mut segment = Vec::with_capacity(TCP + payload.len());
        segment.extend(from.port().to_be_bytes());
        segment.extend(to.port().to_be_bytes());
        segment.extend(self.next[own].to_be_bytes());
        segment.extend(acknowledged.to_be_bytes());
        segment.extend([5 << 4, flags]);
        segment.extend(WINDOW.to_be_bytes());
        segment.extend([0; 4]);
        segment.extend(payload);
        let mut frame = [MACS[own ^ 1], MACS[own]].concat();
        ip(from.ip(), to.ip(), self.is_ipv6(), &mut segment, &mut frame);
        let time = Duration::from_micros(u64::try_from(self.now).unwrap_or(0));
        packet(out, &Packet { time, direction: way, length: frame.len(), bytes: &frame, comments });
        // SYN and FIN are counted as a byte each.
        let counted = payload.len() + usize::from(flags & (SYN | FIN) != 0);
        self.next[own] = self.next[own].wrapping_add(u32::try_from(counted).unwrap_or(0));
        self.now += STEP;
    }
}

/// Appends the IP packet of a TCP segment, whose checksum is filled in.
fn ip(from: IpAddr, to: IpAddr, is_ipv6: bool, segment: &mut [u8], frame: &mut Vec<u8>) {
    let length = u16::try_from(segment.len()).unwrap_or(u16::MAX);
    if let (IpAddr::V4(from), IpAddr::V4(to), false) = (from, to, is_ipv6) {
        let addresses = [from.octets(), to.octets()].concat();
        checksum_into(&addresses, length, segment);
        let mut header = vec![0x45, 0];
        header.extend((20 + length).to_be_bytes());
        // No identification, not to be fragmented, 64 hops, TCP.
        header.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        header.extend(&addresses);
        let sum = checksum(&[&header]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        frame.extend([8, 0]);
        frame.extend(header);
    } else {
        let octets = |address: IpAddr| match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        let addresses = [octets(from), octets(to)].concat();
        checksum_into(&addresses, length, segment);
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        frame.extend(length.to_be_bytes());
        frame.extend([6, 64]);
        frame.extend(addresses);
    }
    frame.extend_from_slice(segment);
}

/// Over the pseudo-header as well (RFC 9293 section 3.1): addresses, protocol, length.
fn checksum_into(addresses: &[u8], length: u16, segment: &mut [u8]) {
    let [high, low] = length.to_be_bytes();
    let sum = checksum(&[addresses, &[0, 6, high, low], segment]);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
}

/// The Internet checksum (RFC 1071). Only the last part may have an odd length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let pairs = parts.iter().flat_map(|part| part.chunks(2));
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low));
    let mut sum: u32 = pairs.map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}
