//! Reads frames from a packet socket, as they were on the wire.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use agent_common::packet::{Direction, Packet};
use nix::errno::Errno;
use nix::libc::{self, tpacket_auxdata, tpacket_stats};
use nix::sys::socket::sockopt::GetStruct;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, getsockopt, recvmsg};
use nix::sys::time::TimeSpec;
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// Bytes that are kept of a frame: as many as readers take. A GSO packet has up to 64 KiB.
pub(super) const SNAPLEN: u32 = 1 << 18;
/// Frames that are read at once, at most.
const BATCH: usize = 64;
/// linux/if_packet.h: `PACKET_OUTGOING`.
const OUTGOING: u8 = 4;
/// linux/if_packet.h: `TP_STATUS_VLAN_VALID`.
const VLAN_VALID: u32 = 1 << 4;
/// linux/if_packet.h: `TP_STATUS_VLAN_TPID_VALID`.
const TPID_VALID: u32 = 1 << 6;
/// EtherType of VLAN tags (IEEE 802.1Q), if the kernel does not tell another.
const VLAN: u16 = 0x8100;
/// Two hardware addresses, after which a VLAN tag is.
const ADDRESSES: usize = 12;

/// Packets since the last time somebody asked.
#[derive(Clone, Copy, Debug)]
struct Statistics;

nix::getsockopt_impl!(Statistics, libc::SOL_PACKET, libc::PACKET_STATISTICS, tpacket_stats, GetStruct<tpacket_stats>);

/// A captured frame.
pub(super) struct Frame {
    /// When the kernel saw it, since the epoch.
    pub(super) time: Duration,
    /// Which way it went.
    pub(super) direction: Direction,
    /// How many bytes it had.
    pub(super) length: usize,
    /// The first [`SNAPLEN`] of them.
    pub(super) bytes: Vec<u8>,
    has_vlan_tag: bool,
}

impl Packet for Frame {
    fn load16<const N: usize>(&self, offset: usize) -> Option<[u16; N]> {
        let words = self.bytes.get(offset..offset + 2 * N)?.as_chunks().0;
        Some(std::array::from_fn(|at| words.get(at).copied().map_or(0, u16::from_ne_bytes)))
    }

    fn load32<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        let words = self.bytes.get(offset..offset + 4 * N)?.as_chunks().0;
        Some(std::array::from_fn(|at| words.get(at).copied().map_or(0, u32::from_ne_bytes)))
    }

    fn has_vlan_tag(&self) -> bool {
        self.has_vlan_tag
    }
}

/// A packet socket and room for one frame.
pub(super) struct Tap {
    /// As a kind of socket that tokio can watch. It is read with recvmsg(2) and nothing else.
    socket: UnixDatagram,
    buffer: Vec<u8>,
    control: Vec<u8>,
}

impl Tap {
    /// To be called within a runtime. The socket does not block.
    ///
    /// # Errors
    /// If the runtime cannot watch the socket.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        let control = nix::cmsg_space!(TimeSpec, tpacket_auxdata);
        Ok(Self { socket: UnixDatagram::from_std(socket.into())?, buffer: vec![0; SNAPLEN as usize], control })
    }

    /// Waits for frames, and gives `take` those that are there, but not too many.
    ///
    /// # Errors
    /// If the socket cannot be read any more.
    pub(super) async fn read(&mut self, mut take: impl FnMut(Frame)) -> io::Result<()> {
        let Self { socket, buffer, control } = self;
        socket.readable().await?;
        for _ in 0..BATCH {
            match socket.try_io(Interest::READABLE, || receive(socket, buffer, control)) {
                Ok(frame) => take(frame),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives `take` the frames that are there.
    ///
    /// # Errors
    /// If the socket cannot be read any more.
    pub(super) fn read_rest(&mut self, mut take: impl FnMut(Frame)) -> io::Result<()> {
        loop {
            match receive(&self.socket, &mut self.buffer, &mut self.control) {
                Ok(frame) => take(frame),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// How many packets came by since this was last asked, and how many of them found no room.
    ///
    /// # Errors
    /// If this is no packet socket.
    pub(super) fn statistics(&self) -> io::Result<(u64, u64)> {
        let tpacket_stats { tp_packets, tp_drops } = getsockopt(&self.socket, Statistics)?;
        Ok((tp_packets.into(), tp_drops.into()))
    }
}

/// The next frame; what would block is an error.
fn receive(socket: &UnixDatagram, buffer: &mut [u8], control: &mut [u8]) -> io::Result<Frame> {
    let Beside { time, direction, length, tag } = next(socket, buffer, control)?;
    let captured = buffer.get(..length).unwrap_or(buffer);
    let (addresses, rest) = captured.split_at(captured.len().min(ADDRESSES));
    let tag = tag.as_ref().map_or(&[][..], |tag| &tag[..]);
    let bytes = [addresses, tag, rest].concat();
    Ok(Frame { time, direction, length: length + tag.len(), bytes, has_vlan_tag: !tag.is_empty() })
}

/// What comes with the bytes of a frame.
struct Beside {
    time: Duration,
    direction: Direction,
    /// Of the frame without its tag.
    length: usize,
    /// A VLAN tag, which the kernel takes off.
    tag: Option<[u8; 4]>,
}

/// Reads the next frame into `buffer`, as far as it fits.
fn next(socket: &UnixDatagram, buffer: &mut [u8], control: &mut [u8]) -> io::Result<Beside> {
    let mut slices = [IoSliceMut::new(buffer)];
    let message = loop {
        // With MSG_TRUNC the length is the frame's, however much of it there is room for.
        match recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut slices, Some(control), MsgFlags::MSG_TRUNC) {
            // ENETDOWN: the device was not up yet when the socket was bound to it.
            Err(Errno::EINTR | Errno::ENETDOWN) => {}
            result => break result?,
        }
    };
    let is_outgoing = message.address.is_some_and(|address| address.pkttype() == OUTGOING);
    let direction = if is_outgoing { Direction::In } else { Direction::Out };
    let mut beside = Beside { time: Duration::ZERO, direction, length: message.bytes, tag: None };
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::ScmTimestampns(time) => beside.time = time.into(),
            ControlMessageOwned::Unknown(other) => beside.tag = beside.tag.or(tag(&other.data_bytes)),
            _ => {}
        }
    }
    Ok(beside)
}

/// The VLAN tag in a `struct tpacket_auxdata` (linux/if_packet.h), which has the status first and the tag last.
fn tag(auxiliary: &[u8]) -> Option<[u8; 4]> {
    let status = u32::from_ne_bytes(*auxiliary.first_chunk()?);
    let [.., tci0, tci1, tpid0, tpid1] = auxiliary.get(..size_of::<tpacket_auxdata>())? else { return None };
    let tpid = u16::from_ne_bytes([*tpid0, *tpid1]);
    let tpid = if status & TPID_VALID == 0 { VLAN } else { tpid }.to_be_bytes();
    let tci = u16::from_ne_bytes([*tci0, *tci1]).to_be_bytes();
    (status & VLAN_VALID != 0).then_some([tpid[0], tpid[1], tci[0], tci[1]])
}

#[cfg(test)]
mod tests {
    use super::tag;

    #[test]
    fn a_tag_is_found_in_what_the_kernel_took_off() {
        let auxiliary = |status: u32| {
            let (words, halves) = ([status, 60, 60], [0_u16, 14, 0x2007, 0x88a8]);
            [words.map(u32::to_ne_bytes).concat(), halves.map(u16::to_ne_bytes).concat()].concat()
        };
        for (status, expect) in
            [(0x01, None), (0x11, Some([0x81, 0x00, 0x20, 0x07])), (0x51, Some([0x88, 0xa8, 0x20, 0x07]))]
        {
            assert_eq!(tag(&auxiliary(status)), expect, "{status:#x}");
        }
        assert_eq!(tag(&auxiliary(0x11)[..19]), None);
    }
}
