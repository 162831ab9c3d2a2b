//! pcapng, as far as a session writes it (draft-ietf-opsawg-pcapng): one interface, its packets, and the secrets that
//! decrypt them. Each function appends one block to a buffer. Numbers are little endian; times are nanoseconds since
//! the epoch.

use std::time::Duration;

use agent_common::packet::Direction;

/// Section 4.1.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
/// Section 4.2.
const INTERFACE_DESCRIPTION: u32 = 1;
/// Section 4.3.
const ENHANCED_PACKET: u32 = 6;
/// Section 4.6.
const INTERFACE_STATISTICS: u32 = 5;
/// Section 4.7.
const DECRYPTION_SECRETS: u32 = 10;

/// Tells a reader the byte order.
const MAGIC: u32 = 0x1a2b_3c4d;
/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;
/// The type of secrets that are a TLS key log.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// opt_comment, in any block.
const COMMENT: u16 = 1;
/// shb_userappl.
const APPLICATION: u16 = 4;
/// if_name.
const NAME: u16 = 2;
/// if_description.
const DESCRIPTION: u16 = 3;
/// if_tsresol: a negative power of ten.
const RESOLUTION: u16 = 9;
/// epb_flags: the lowest two bits are the direction.
const FLAGS: u16 = 2;
/// isb_starttime.
const STARTED: u16 = 2;
/// isb_endtime.
const ENDED: u16 = 3;
/// isb_ifrecv.
const RECEIVED: u16 = 4;
/// isb_ifdrop, where readers look for losses of any kind.
const DROPPED: u16 = 5;

/// The only interface of a section.
const INTERFACE: u32 = 0;

/// A captured frame.
pub struct Packet<'a> {
    /// When.
    pub time: Duration,
    /// Which way. What the child sends comes in at the gateway.
    pub direction: Direction,
    /// How many bytes it had.
    pub length: usize,
    /// Those of them that were captured.
    pub bytes: &'a [u8],
    /// What is to be said of it, a comment each.
    pub comments: &'a [String],
}

/// What a section captured in all.
pub struct Statistics {
    /// When it began.
    pub started: Duration,
    /// When it ended.
    pub ended: Duration,
    /// Packets that came by, those that were lost among them.
    pub received: u64,
    /// Packets that were lost.
    pub dropped: u64,
}

/// Begins a section, which `application` writes. What is before it in a file stays as it is.
pub fn section(out: &mut Vec<u8>, application: &str) {
    block(out, SECTION_HEADER, |out| {
        out.extend(MAGIC.to_le_bytes());
        // Version 1.0.
        out.extend([1, 0, 0, 0]);
        // How long it becomes is not known.
        out.extend(u64::MAX.to_le_bytes());
        option(out, APPLICATION, application.as_bytes());
        end_of_options(out);
    });
}

/// Describes the Ethernet device that all packets of the section are of, of which at most `snaplen` bytes are kept.
pub fn interface(out: &mut Vec<u8>, name: &str, description: &str, snaplen: u32) {
    block(out, INTERFACE_DESCRIPTION, |out| {
        out.extend(ETHERNET.to_le_bytes());
        out.extend([0, 0]);
        out.extend(snaplen.to_le_bytes());
        option(out, NAME, name.as_bytes());
        option(out, DESCRIPTION, description.as_bytes());
        option(out, RESOLUTION, &[9]);
        end_of_options(out);
    });
}

/// A packet.
pub fn packet(out: &mut Vec<u8>, packet: &Packet<'_>) {
    block(out, ENHANCED_PACKET, |out| {
        out.extend(INTERFACE.to_le_bytes());
        timestamp(out, packet.time);
        out.extend(size(packet.bytes.len()).to_le_bytes());
        out.extend(size(packet.length).to_le_bytes());
        out.extend(packet.bytes);
        pad(out, packet.bytes.len());
        for comment in packet.comments {
            option(out, COMMENT, comment.as_bytes());
        }
        let direction: u32 = match packet.direction {
            Direction::Out => 1,
            Direction::In => 2,
        };
        option(out, FLAGS, &direction.to_le_bytes());
        end_of_options(out);
    });
}

/// Lines of a TLS key log, for the packets that follow.
pub fn secrets(out: &mut Vec<u8>, lines: &str) {
    block(out, DECRYPTION_SECRETS, |out| {
        out.extend(TLS_KEY_LOG.to_le_bytes());
        out.extend(size(lines.len()).to_le_bytes());
        out.extend(lines.as_bytes());
        pad(out, lines.len());
    });
}

/// What the section captured; its last block.
pub fn statistics(out: &mut Vec<u8>, statistics: &Statistics) {
    block(out, INTERFACE_STATISTICS, |out| {
        out.extend(INTERFACE.to_le_bytes());
        timestamp(out, statistics.ended);
        for (code, time) in [(STARTED, statistics.started), (ENDED, statistics.ended)] {
            let mut value = Vec::with_capacity(8);
            timestamp(&mut value, time);
            option(out, code, &value);
        }
        option(out, RECEIVED, &statistics.received.to_le_bytes());
        option(out, DROPPED, &statistics.dropped.to_le_bytes());
        end_of_options(out);
    });
}

/// Type, length, body, and the length once more, so that a file can be read backwards.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    let length = size(out.len() - start + 4).to_le_bytes();
    if let Some(place) = out.get_mut(start + 4..start + 8) {
        place.copy_from_slice(&length);
    }
    out.extend(length);
}

/// An option; one that is too long for its length loses its end.
fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend(code.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(value.iter().take(length.into()));
    pad(out, length.into());
}

fn end_of_options(out: &mut Vec<u8>) {
    option(out, 0, &[]);
}

/// Fills up to 32 bits what has `length` bytes.
fn pad(out: &mut Vec<u8>, length: usize) {
    out.extend(std::iter::repeat_n(0, length.next_multiple_of(4) - length));
}

/// The upper half first. It is enough until the year 2554.
fn timestamp(out: &mut Vec<u8>, time: Duration) {
    let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    out.extend(((ns >> 32) as u32).to_le_bytes());
    out.extend((ns as u32).to_le_bytes());
}

fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that hexadecimal digits and quoted text stand for.
    fn bytes(written: &str) -> Vec<u8> {
        let quoted = written.split('"').enumerate();
        let parts = quoted.map(|(at, part)| if at % 2 == 1 { part.as_bytes().to_vec() } else { hex(part) });
        parts.flatten().collect()
    }

    fn hex(text: &str) -> Vec<u8> {
        text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    #[track_caller]
    fn check(write: impl FnOnce(&mut Vec<u8>), expect: &str) {
        let mut out = b"before".to_vec();
        write(&mut out);
        assert_eq!(out, [b"before".to_vec(), bytes(expect)].concat());
    }

    #[test]
    fn a_section_begins_with_the_byte_order_and_who_writes_it() {
        check(
            |out| section(out, "agent"),
            "0a 0d 0d 0a  2c 00 00 00  4d 3c 2b 1a  01 00 00 00  ff ff ff ff ff ff ff ff \
             04 00 05 00 \"agent\" 00 00 00  00 00 00 00  2c 00 00 00",
        );
    }

    #[test]
    fn an_interface_is_ethernet_with_nanoseconds() {
        check(
            |out| interface(out, "gw0", "far end", 0x0004_0000),
            "01 00 00 00  34 00 00 00  01 00 00 00  00 00 04 00 \
             02 00 03 00 \"gw0\" 00  03 00 07 00 \"far end\" 00  09 00 01 00 09 00 00 00  00 00 00 00  34 00 00 00",
        );
    }

    #[test]
    fn a_packet_has_its_time_both_lengths_its_comments_and_its_direction() {
        let time = Duration::from_nanos(0x1797_9cfe_3d85_cd15);
        let comments = ["one".to_owned(), "zwölf".to_owned()];
        check(
            |out| {
                let direction = Direction::Out;
                packet(out, &Packet { time, direction, length: 0x5dc, bytes: b"12345", comments: &comments });
            },
            "06 00 00 00  48 00 00 00  00 00 00 00  fe 9c 97 17  15 cd 85 3d  05 00 00 00  dc 05 00 00 \
             \"12345\" 00 00 00  01 00 03 00 \"one\" 00  01 00 06 00 \"zwölf\" 00 00 \
             02 00 04 00 01 00 00 00  00 00 00 00  48 00 00 00",
        );
        check(
            |out| {
                let (direction, time) = (Direction::In, Duration::ZERO);
                packet(out, &Packet { time, direction, length: 4, bytes: b"1234", comments: &[] });
            },
            "06 00 00 00  30 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00  04 00 00 00  04 00 00 00 \
             \"1234\"  02 00 04 00 02 00 00 00  00 00 00 00  30 00 00 00",
        );
    }

    #[test]
    fn secrets_are_a_tls_key_log() {
        check(
            |out| secrets(out, "A 01 02\n!"),
            "0a 00 00 00  20 00 00 00  4b 53 4c 54  09 00 00 00 \"A 01 02\" 0a \"!\" 00 00 00  20 00 00 00",
        );
    }

    #[test]
    fn statistics_tell_what_was_lost() {
        let (started, ended) = (Duration::from_nanos(1), Duration::from_nanos(0x1_0000_0002));
        check(
            |out| statistics(out, &Statistics { started, ended, received: 0x0102, dropped: 3 }),
            "05 00 00 00  4c 00 00 00  00 00 00 00  01 00 00 00  02 00 00 00 \
             02 00 08 00  00 00 00 00 01 00 00 00  03 00 08 00  01 00 00 00 02 00 00 00 \
             04 00 08 00  02 01 00 00 00 00 00 00  05 00 08 00  03 00 00 00 00 00 00 00 \
             00 00 00 00  4c 00 00 00",
        );
    }

    #[test]
    fn a_comment_that_is_too_long_loses_its_end() {
        let comments = ["x".repeat(70_000)];
        let mut out = Vec::new();
        let (direction, time) = (Direction::In, Duration::ZERO);
        packet(&mut out, &Packet { time, direction, length: 0, bytes: &[], comments: &comments });
        // Header, option of the comment with its padding, flags, end, trailer.
        assert_eq!(out.len(), 28 + 4 + 65_536 + 8 + 4 + 4);
        assert_eq!(out[4..8], out[out.len() - 4..]);
    }
}
