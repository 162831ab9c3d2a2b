//! Ethernet frames and IP packets, made byte by byte, as no well-behaved stack would send them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Step, Target, netlink, raw};

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;

/// Sends frames through the session's device, a step each.
#[must_use]
pub fn send<const N: usize>(target: &Target, frames: [(&str, Vec<u8>); N]) -> Vec<Step> {
    let device = netlink::index(&target.device);
    let send = |frame: &[u8]| raw::send_frame(device.as_ref().map_or(0, |device| *device), frame);
    frames.map(|(what, frame)| Step::of(what, send(&frame))).into()
}

/// Sends an IP packet of any protocol with the token in it.
///
/// # Errors
/// If the kernel refuses.
fn send_ip(target: &Target, to: SocketAddr, protocol: u8) -> io::Result<usize> {
    let socket = Socket::new(Domain::for_address(to), Type::RAW, Some(Protocol::from(i32::from(protocol))))?;
    socket.send_to(&[&[0; 8], target.token.as_bytes()].concat(), &to.into())
}

/// Sends such packets over both families, a step each.
#[must_use]
pub fn send_protocols<const N: usize>(target: &Target, protocols: [(&str, u8); N]) -> Vec<Step> {
    let each = protocols.into_iter().flat_map(|(what, protocol)| target.at(0).map(|to| (what, to, protocol)));
    each.map(|(what, to, protocol)| Step::of(what, send_ip(target, to, protocol))).collect()
}

/// A frame from the session's device to the gateway's.
#[must_use]
pub fn ethernet(target: &Target, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let (ours, theirs) = target.macs;
    [&theirs[..], &ours, &ether_type.to_be_bytes(), payload].concat()
}

/// The parts of an IPv4 packet (RFC 791 section 3.1) that attempts vary.
pub struct V4<'a> {
    /// Source.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
    /// Protocol number.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// Flags and fragment offset.
    pub fragment: u16,
    /// Options, a multiple of four bytes.
    pub options: &'a [u8],
}

impl V4<'_> {
    /// An ordinary packet to the target.
    #[must_use]
    pub fn to(target: &Target, protocol: u8) -> Self {
        Self { src: target.child.0, dst: target.v4, protocol, ttl: 64, fragment: 0, options: &[] }
    }

    /// The packet.
    #[must_use]
    pub fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let words = 5 + self.options.len() / 4;
        let length = u16::try_from(words * 4 + payload.len()).unwrap_or(u16::MAX);
        let mut header = vec![0x40 | u8::try_from(words).unwrap_or(15), 0];
        header.extend(length.to_be_bytes());
        header.extend([0x12, 0x34]);
        header.extend(self.fragment.to_be_bytes());
        header.extend([self.ttl, self.protocol, 0, 0]);
        header.extend(self.src.octets());
        header.extend(self.dst.octets());
        header.extend(self.options);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        [&header[..], payload].concat()
    }
}

/// An IPv6 packet (RFC 8200 section 3) to the target.
#[must_use]
pub fn v6(target: &Target, src: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let head = [0x60, 0, 0, 0];
    let octets = [src.octets(), target.v6.octets()].concat();
    [&head[..], &length.to_be_bytes(), &[next_header, 64], &octets, payload].concat()
}

/// A UDP datagram (RFC 768) without a checksum, which IPv4 allows.
#[must_use]
pub fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap_or(u16::MAX);
    let fields = [40_000_u16, port, length, 0].map(u16::to_be_bytes);
    [fields.as_flattened(), payload].concat()
}

/// A TCP SYN (RFC 9293 section 3.1) with data, as TCP Fast Open sends it; its checksum is left zero.
#[must_use]
pub fn syn(port: u16, payload: &[u8]) -> Vec<u8> {
    let ports = [40_000_u16, port].map(u16::to_be_bytes);
    [ports.as_flattened(), &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0], payload].concat()
}

/// The Internet checksum (RFC 1071).
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let sum = words.sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_header_with_its_checksum_sums_to_zero() {
        let mut header = [0x45, 0, 0, 28, 0x12, 0x34, 0, 0, 64, 17, 0, 0, 10, 200, 1, 2, 192, 0, 2, 1];
        let sum = super::checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(super::checksum(&header), 0);
    }
}
