//! The ring buffer of kernel events, read record by record.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use agent_common::maps::{self, Address, EventKind, FlowKey, Reason, State};
use agent_common::owner::Sender;
use aya::maps::{Map, MapData, RingBuf};

use super::Error;
use super::dataplane::unusable;
use crate::engine::event::Event;
use crate::engine::process::Process;

/// The consumer's end of the ring buffer; readable when there is something to read.
pub struct KernelEvents(RingBuf<MapData>);

impl KernelEvents {
    /// Opens the ring buffer behind a descriptor.
    ///
    /// # Errors
    /// If it is not one.
    pub fn new(fd: OwnedFd) -> Result<Self, Error> {
        let data = MapData::from_fd(fd).map_err(unusable(maps::EVENTS))?;
        let ring = RingBuf::try_from(Map::RingBuf(data)).map_err(unusable(maps::EVENTS))?;
        Ok(Self(ring))
    }

    /// The next event, if there is one.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            // A record that this version does not know is skipped.
            if let Some(event) = read(&self.0.next()?) {
                return Some(event);
            }
        }
    }
}

impl AsFd for KernelEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Reads one record, laid out as [`maps::Event`]; `None` if it is short or of a kind that this version does not know.
#[must_use]
pub fn read(record: &[u8]) -> Option<Event> {
    let mut fields = Fields(record);
    let _ns = fields.u64()?;
    let (bytes_out, bytes_in) = (fields.u64()?, fields.u64()?);
    let (packets_out, packets_in) = (fields.u64()?, fields.u64()?);
    let folded = fields.u64()?;
    let process = fields.sender()?;
    let key = fields.key()?;
    let ether_type = fields.u16()?;
    let [kind, detail] = fields.take::<2>()?;
    let (child, orig_dst) = (key.child(), key.dst());
    if kind == EventKind::Blocked as u8 {
        let reason = Reason::from_u8(detail)?;
        let (protocol, packets) = (key.protocol, packets_out);
        return Some(Event::AttemptBlocked { reason, protocol, ether_type, dst: orig_dst, packets, folded, process });
    }
    if kind == EventKind::Opened as u8 {
        return Some(Event::FlowOpened { child, orig_dst });
    }
    let state = State::from_u8(detail).filter(|_| kind == EventKind::Closed as u8)?;
    Some(Event::FlowClosed { child, orig_dst, state: state.name(), bytes_out, bytes_in, packets_out, packets_in })
}

/// The rest of a record, in the order and byte order of the kernel's structure.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_ne_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_ne_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    fn sender(&mut self) -> Option<Option<Process>> {
        let cgroup = self.u64()?;
        let (pid, tgid, uid, pad) = (self.u32()?, self.u32()?, self.u32()?, self.u32()?);
        Some(Process::sender(&Sender { cgroup, pid, tgid, uid, pad, comm: self.take()? }))
    }

    fn address(&mut self) -> Option<Address> {
        let mut words = [0; 4];
        for word in &mut words {
            *word = self.u32()?;
        }
        Some(words)
    }

    fn key(&mut self) -> Option<FlowKey> {
        let (child, dst) = (self.address()?, self.address()?);
        let (child_port, dst_port) = (self.u16()?, self.u16()?);
        let ifindex = self.u32()?;
        let [protocol, family, _, _] = self.take()?;
        Some(FlowKey { child, dst, child_port, dst_port, ifindex, protocol, family, pad: [0; 2] })
    }
}

#[cfg(test)]
mod tests {
    use agent_common::maps::{EventKind, Reason};

    use super::read;
    use crate::engine::event::Event;

    fn record(kind: u8, detail: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        for total in [9_u64, 100, 200, 3, 4, 1, 77] {
            bytes.extend(total.to_ne_bytes());
        }
        for number in [12_u32, 11, 1000, 0] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend(*b"curl\0\0\0\0\0\0\0\0\0\0\0\0");
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 200, 1, 2]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]);
        bytes.extend(5000_u16.to_ne_bytes());
        bytes.extend(443_u16.to_ne_bytes());
        bytes.extend(1000_u32.to_ne_bytes());
        bytes.extend([17, 4, 0, 0]);
        bytes.extend(0x0800_u16.to_ne_bytes());
        bytes.extend([kind, detail]);
        bytes
    }

    #[test]
    fn a_record_has_the_size_of_the_kernels_structure() {
        assert_eq!(record(1, 1).len(), size_of::<agent_common::maps::Event>());
    }

    #[test]
    fn a_blocked_attempt_names_its_reason_and_destination() {
        let event = read(&record(EventKind::Blocked as u8, Reason::Udp as u8));
        let Some(Event::AttemptBlocked { reason, protocol, ether_type, dst, packets, folded, process }) = event else {
            panic!("{event:?}")
        };
        assert_eq!((reason, protocol, ether_type, packets, folded), (Reason::Udp, 17, 0x0800, 3, 1));
        assert_eq!(process.unwrap().label(), "curl[11]");
        assert_eq!(dst.to_string(), "192.0.2.1:443");
    }

    #[test]
    fn what_is_short_or_unknown_is_no_event() {
        for bytes in [Vec::new(), record(1, 1)[..80].to_vec(), record(9, 1), record(2, 77), record(3, 200)] {
            assert!(read(&bytes).is_none());
        }
    }
}
