//! DNS messages (RFC 1035, 6891, 9460): reads what a forwarder needs to know, and changes what it must change.
//!
//! A codec of its own rather than a crate's: those decode a message and encode it anew, which loses how names were
//! compressed, the order of options and whatever they do not know. Here a message stays the bytes it came as, and an
//! edit removes or overwrites some of them; every other byte is forwarded as it was. The price is small, since few
//! facts are needed. It resolves nothing, caches nothing and does not validate DNSSEC.
//!
//! ```
//! use agent::engine::wire::dns::{Message, record_type_name};
//!
//! let query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04name\x04test\x00\x00\x01\x00\x01";
//! let message = Message::parse(query)?;
//! let question = message.question().unwrap();
//! assert_eq!((question.name.as_str(), record_type_name(question.record_type).as_str()), ("name.test", "A"));
//! # Ok::<(), agent::engine::wire::dns::Malformed>(())
//! ```

mod edit;
mod message;
mod name;
mod refusal;
mod stand_in;
mod svcb;
#[cfg(test)]
mod tests;

pub use edit::fit;
pub use message::{Address, Message, Question, Record, Section};
pub use name::labels;
pub use refusal::refusal;
pub use stand_in::stand_in;

/// Bytes of a header (RFC 1035, section 4.1.1): what a message must have to be answered at all.
pub const HEADER: usize = 12;

/// The largest UDP payload, in bytes, that both sides are told we take: what passes unfragmented on any path.
pub const UDP_SIZE: u16 = 1232;

/// The largest UDP payload, in bytes, towards a client that does not speak EDNS (RFC 1035, section 2.3.4).
pub const UDP_SIZE_WITHOUT_EDNS: u16 = 512;

/// Why bytes are no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed DNS message: {0}")]
pub struct Malformed(pub(crate) &'static str);

/// A response code (RFC 6895, section 2.3), with the upper bits that EDNS adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rcode(pub u16);

impl Rcode {
    /// The name was found.
    pub const NOERROR: Self = Self(0);
    /// The server could not read the query.
    pub const FORMERR: Self = Self(1);
    /// The server could not find out.
    pub const SERVFAIL: Self = Self(2);
    /// The server does not do this kind of query.
    pub const NOTIMP: Self = Self(4);
    /// The server does not want to.
    pub const REFUSED: Self = Self(5);

    /// Its name, or `RCODE` and its number.
    #[must_use]
    pub fn name(self) -> String {
        let names = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
        names.get(usize::from(self.0)).map_or_else(|| format!("RCODE{}", self.0), |name| (*name).to_owned())
    }
}

/// The class of the internet (RFC 1035, section 3.2.4).
pub const CLASS_INTERNET: u16 = 1;

/// Record types that this module knows by number.
pub(crate) mod record_type {
    pub(crate) const A: u16 = 1;
    pub(crate) const NS: u16 = 2;
    pub(crate) const CNAME: u16 = 5;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const PTR: u16 = 12;
    pub(crate) const MX: u16 = 15;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const SRV: u16 = 33;
    pub(crate) const OPT: u16 = 41;
    pub(crate) const SVCB: u16 = 64;
    pub(crate) const HTTPS: u16 = 65;
    pub(crate) const IXFR: u16 = 251;
    pub(crate) const AXFR: u16 = 252;
}

/// The name of a record type, or `TYPE` and its number (RFC 3597, section 5).
#[must_use]
pub fn record_type_name(number: u16) -> String {
    const NAMES: [(u16, &str); 26] = [
        (1, "A"),
        (2, "NS"),
        (5, "CNAME"),
        (6, "SOA"),
        (10, "NULL"),
        (12, "PTR"),
        (13, "HINFO"),
        (15, "MX"),
        (16, "TXT"),
        (25, "KEY"),
        (28, "AAAA"),
        (29, "LOC"),
        (33, "SRV"),
        (35, "NAPTR"),
        (39, "DNAME"),
        (43, "DS"),
        (44, "SSHFP"),
        (46, "RRSIG"),
        (47, "NSEC"),
        (48, "DNSKEY"),
        (52, "TLSA"),
        (64, "SVCB"),
        (65, "HTTPS"),
        (252, "AXFR"),
        (255, "ANY"),
        (257, "CAA"),
    ];
    let known = NAMES.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("TYPE{number}"), |(_, name)| (*name).to_owned())
}

/// Whether a question of this type asks for a whole zone, which takes more than one message to answer.
#[must_use]
pub fn is_transfer(record_type: u16) -> bool {
    matches!(record_type, record_type::AXFR | record_type::IXFR)
}

/// The 16 bits at `at`.
fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
    field.map(|field| u16::from_be_bytes(*field)).ok_or(Malformed("it ends within a field"))
}
