//! A message as its bytes and where its parts are in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::name::Name;
use super::{HEADER, Malformed, Rcode, record_type, svcb, u16_at};

/// A well-formed message.
#[derive(Debug)]
pub struct Message<'a> {
    pub(super) bytes: &'a [u8],
    question: Option<Question>,
    pub(super) records: Vec<Record>,
}

/// What is asked (RFC 1035, section 4.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Lower-case, without the last dot; `.` for the root.
    pub name: String,
    /// The same name as a message has it, lower-case: each label behind its length, without the root's.
    pub labels: Vec<u8>,
    /// The type of record, by number.
    pub record_type: u16,
    /// The class, 1 for the internet.
    pub class: u16,
    pub(super) end: usize,
}

/// Which part of a message a record is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// Who is responsible.
    Authority,
    /// What may help, and the options of EDNS.
    Additional,
}

/// A resource record (RFC 1035, section 4.1.3).
#[derive(Debug)]
pub struct Record {
    /// The part of the message that it is in.
    pub section: Section,
    /// Whose record it is, in the form of [`Question::name`].
    pub owner: String,
    /// The type of record, by number.
    pub record_type: u16,
    /// Seconds for which it may be kept.
    pub ttl: u32,
    pub(super) start: usize,
    /// Where the type is; class, time to live and the data's length follow it.
    pub(super) fixed: usize,
    pub(super) data: Range<usize>,
}

/// An address that an answer gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Seconds for which it may be kept.
    pub ttl: u32,
}

impl<'a> Message<'a> {
    /// Reads a message: header, at most one question, and records up to the last byte.
    ///
    /// # Errors
    /// Where a part is missing or too much, a name does not end, or there are two sets of EDNS options, or they have a name.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let question = match u16_at(bytes, 4)? {
            0 => None,
            1 => Some(Question::parse(bytes)?),
            _ => return Err(Malformed("more than one question")),
        };
        let mut at = question.as_ref().map_or(HEADER, |question| question.end);
        let mut records = Vec::new();
        for (section, count_at) in [(Section::Answer, 6), (Section::Authority, 8), (Section::Additional, 10)] {
            for _ in 0..u16_at(bytes, count_at)? {
                let record = Record::parse(bytes, at, section)?;
                at = record.data.end;
                records.push(record);
            }
        }
        if at != bytes.len() {
            return Err(Malformed("bytes behind the last record"));
        }
        let mut options = records.iter().filter(|record| record.is_options());
        // RFC 6891, section 6.1.2: their name is the root's, which is one byte.
        if options.next().is_some_and(|options| options.fixed > options.start + 1) {
            return Err(Malformed("EDNS options with a name"));
        }
        if options.next().is_some() {
            return Err(Malformed("more than one set of EDNS options"));
        }
        Ok(Self { bytes, question, records })
    }

    /// The bytes that it was read from.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The number that joins a response to its query.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.header(0)
    }

    /// Whether it says that it is a response.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.header(2) & 0x8000 != 0
    }

    /// Whether it says that parts were cut off because they did not fit.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.header(2) & 0x0200 != 0
    }

    /// The response code.
    #[must_use]
    pub fn rcode(&self) -> Rcode {
        // RFC 6891, section 6.1.3: the options carry the upper eight bits.
        let extended = self.options().map_or(0, |options| options.ttl >> 24 << 4);
        Rcode(self.header(2) & 0xf | u16::try_from(extended).unwrap_or_default())
    }

    /// What is asked.
    #[must_use]
    pub fn question(&self) -> Option<&Question> {
        self.question.as_ref()
    }

    /// The records in the order of the message, EDNS options included.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The largest UDP payload, in bytes, that the sender says it takes; `None` if it does not speak EDNS.
    #[must_use]
    pub fn udp_size(&self) -> Option<u16> {
        self.options().map(|options| self.header(options.fixed + 2))
    }

    /// Whether this is the response to `query`: its number and its question, or no question in a report of failure.
    #[must_use]
    pub fn answers(&self, query: &Message<'_>) -> bool {
        let same = |(ours, theirs): (&Question, &Question)| {
            (&ours.name, ours.record_type, ours.class) == (&theirs.name, theirs.record_type, theirs.class)
        };
        let same_question = match self.question() {
            Some(ours) => query.question().is_some_and(|theirs| same((ours, theirs))),
            None => self.rcode() != Rcode::NOERROR,
        };
        self.is_response() && self.id() == query.id() && same_question
    }

    /// The addresses in the answer, hints of HTTPS records (RFC 9460, section 7.3) included.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        let answers = self.records.iter().filter(|record| record.section == Section::Answer);
        answers
            .flat_map(|record| record.ips(self.bytes).into_iter().map(|ip| Address { ip, ttl: record.ttl }))
            .collect()
    }

    pub(super) fn options(&self) -> Option<&Record> {
        self.records.iter().find(|record| record.is_options())
    }

    /// The 16 bits at `at`, of a part that was read already.
    pub(super) fn header(&self, at: usize) -> u16 {
        u16_at(self.bytes, at).unwrap_or_default()
    }
}

impl Question {
    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        // No pointer is part of it: there is no name before it to point to.
        let Name { text, end, .. } = Name::read(bytes, HEADER)?;
        let (record_type, class) = (u16_at(bytes, end)?, u16_at(bytes, end + 2)?);
        // A length is less than any letter.
        let labels = bytes[HEADER..end - 1].to_ascii_lowercase();
        Ok(Self { name: text, labels, record_type, class, end: end + 4 })
    }
}

impl Record {
    fn parse(bytes: &[u8], start: usize, section: Section) -> Result<Self, Malformed> {
        let Name { text: owner, end: fixed, .. } = Name::read(bytes, start)?;
        let record_type = u16_at(bytes, fixed)?;
        let ttl = u32::from(u16_at(bytes, fixed + 4)?) << 16 | u32::from(u16_at(bytes, fixed + 6)?);
        let data = fixed + 10..fixed + 10 + usize::from(u16_at(bytes, fixed + 8)?);
        if data.end > bytes.len() {
            return Err(Malformed("it ends within a record"));
        }
        Ok(Self { section, owner, record_type, ttl, start, fixed, data })
    }

    pub(super) fn is_options(&self) -> bool {
        self.section == Section::Additional && self.record_type == record_type::OPT
    }

    pub(super) fn is_service_binding(&self) -> bool {
        matches!(self.record_type, record_type::SVCB | record_type::HTTPS)
    }

    fn ips(&self, bytes: &[u8]) -> Vec<IpAddr> {
        let data = &bytes[self.data.clone()];
        match self.record_type {
            record_type::A => <[u8; 4]>::try_from(data).map(|ip| Ipv4Addr::from(ip).into()).into_iter().collect(),
            record_type::AAAA => <[u8; 16]>::try_from(data).map(|ip| Ipv6Addr::from(ip).into()).into_iter().collect(),
            _ if self.is_service_binding() => svcb::hints(bytes, self.data.clone()).unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}
