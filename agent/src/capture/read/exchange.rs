//! An exchange with all that is kept of it.

use rusqlite::{OptionalExtension as _, Row};
use serde_json::Value;

use super::bodies::has_moved;
use super::{Capture, Error, Filter};
use crate::engine::decode::stream::MessageKind;
use crate::engine::http::Field;
use crate::engine::http::exchange::Direction;
use crate::engine::record::{Connection, Content, Exchange, Half, Message, Outline, Tls};

/// How often an exchange is read while its bodies are given other names.
const TRIES: usize = 4;
/// How long before a connection the lookup of its host may have been to count as its own, in microseconds.
const LOOKED_UP: i64 = 5_000_000;

const HEADS: &str = "SELECT request_head, request_body, request_trailers, informational, response_head, response_body, \
     response_trailers FROM exchanges WHERE id = ?";
const MESSAGES: &str =
    "SELECT direction, at, kind, size, cut, note, payload FROM messages WHERE exchange = ? ORDER BY id";
const CONNECTION: &str = "SELECT id, accepted, closed, child, destination, carried, pid, process, executable, uid, \
     connect_us, sni, alpn, verified, child_tls, child_resumed, child_tls_us, server_tls, server_resumed, \
     server_tls_us, certificates, error FROM connections WHERE id = ?";
const LOOKUP: &str = "SELECT took_us FROM dns WHERE at BETWEEN ? AND ? AND rtrim(lower(name), '.') = ? \
     AND refused IS NULL ORDER BY at DESC LIMIT 1";

impl Capture {
    /// The exchange with this number.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn exchange(&self, id: i64) -> Result<Exchange, Error> {
        for _ in 1..TRIES {
            match self.read(id) {
                Err(error) if has_moved(&error) => {}
                read => return read,
            }
        }
        self.read(id)
    }

    fn read(&self, id: i64) -> Result<Exchange, Error> {
        let outline = self.outlines(&Filter::default(), id..=id)?.pop();
        let outline = outline.ok_or_else(|| Error::NoExchange { id, directory: self.directory.clone() })?;
        let heads = self.database.prepare_cached(HEADS)?.query_row([id], Heads::of)?;
        let connection = self.connection(outline.connection)?;
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM exchanges WHERE connection = ? AND id < ?)";
        let is_first = self.database.prepare_cached(sql)?.query_row([outline.connection, id], |row| row.get(0))?;
        let is_over = outline.finished.is_some();
        let request_open = !is_over && outline.sent.is_none();
        let response_open = !is_over && outline.received.is_none();
        let response = match heads.response {
            None => None,
            Some(head) => Some(Half {
                head: fields(&head),
                body: self.body_of(heads.response_body, response_open)?,
                size: outline.response_size,
                trailers: fields(&heads.response_trailers),
            }),
        };
        Ok(Exchange {
            request: Half {
                head: fields(&heads.request),
                body: self.body_of(heads.request_body, request_open)?,
                size: outline.request_size,
                trailers: fields(&heads.request_trailers),
            },
            response,
            informational: informational(&heads.informational),
            messages: self.messages(id)?,
            dns_us: self.lookup(connection.as_ref(), &outline.host)?,
            certificate: self.certificate(connection.as_ref())?,
            connection,
            is_first,
            outline,
        })
    }

    /// The fields of an exchange's request, pseudo-headers first, and its connection, if that is recorded. No body is read.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn request(&self, outline: &Outline) -> Result<(Vec<Field>, Option<Connection>), Error> {
        let sql = "SELECT request_head FROM exchanges WHERE id = ?";
        let head: String = self.database.prepare_cached(sql)?.query_row([outline.id], |row| row.get(0))?;
        Ok((fields(&head), self.connection(outline.connection)?))
    }

    /// The messages of the exchange with this number, in the order in which they passed.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn messages(&self, exchange: i64) -> Result<Vec<Message>, Error> {
        let mut statement = self.database.prepare_cached(MESSAGES)?;
        let messages = statement.query_map([exchange], message)?.collect::<Result<_, _>>()?;
        Ok(messages)
    }

    fn body_of(&self, id: Option<i64>, is_open: bool) -> Result<Option<Content>, Error> {
        let Some(id) = id else { return Ok(None) };
        let gone = || Error::Body { path: format!("row {id}").into(), source: std::io::ErrorKind::NotFound.into() };
        self.body(id, is_open)?.ok_or_else(gone).map(Some)
    }

    fn connection(&self, id: i64) -> Result<Option<Connection>, Error> {
        Ok(self.database.prepare_cached(CONNECTION)?.query_row([id], connection).optional()?)
    }

    fn certificate(&self, connection: Option<&Connection>) -> Result<Option<Vec<u8>>, Error> {
        let Some(sha256) = connection.and_then(|connection| connection.certificates.first()) else { return Ok(None) };
        let sql = "SELECT der FROM certificates WHERE sha256 = ?";
        Ok(self.database.prepare_cached(sql)?.query_row([sha256], |row| row.get(0)).optional()?)
    }

    /// How long the child's latest lookup of `host` before its connection took.
    fn lookup(&self, connection: Option<&Connection>, host: &str) -> Result<Option<u64>, Error> {
        let Some(Connection { accepted, .. }) = connection else { return Ok(None) };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let mut statement = self.database.prepare_cached(LOOKUP)?;
        let took = statement.query_row((accepted - LOOKED_UP, accepted, host), |row| row.get(0)).optional()?;
        Ok(took.flatten())
    }
}

/// The JSON of an exchange's heads; empty where there is none.
struct Heads {
    request: String,
    request_body: Option<i64>,
    request_trailers: String,
    informational: String,
    response: Option<String>,
    response_body: Option<i64>,
    response_trailers: String,
}

impl Heads {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let text = |at: usize| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
        Ok(Self {
            request: row.get(0)?,
            request_body: row.get(1)?,
            request_trailers: text(2)?,
            informational: text(3)?,
            response: row.get(4)?,
            response_body: row.get(5)?,
            response_trailers: text(6)?,
        })
    }
}

/// `[[name, value], …]`; what is not so is left out.
pub(super) fn fields(json: &str) -> Vec<Field> {
    let pairs: Vec<(String, String)> = serde_json::from_str(json).unwrap_or_default();
    pairs.into_iter().map(|(name, value)| Field::new(name, value)).collect()
}

/// `[[status, [[name, value], …]], …]`.
fn informational(json: &str) -> Vec<(u16, Vec<Field>)> {
    let heads: Vec<(u16, Value)> = serde_json::from_str(json).unwrap_or_default();
    heads.into_iter().map(|(status, head)| (status, fields(&head.to_string()))).collect()
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let (direction, kind): (String, String) = (row.get(0)?, row.get(2)?);
    Ok(Message {
        direction: if direction == "request" { Direction::Request } else { Direction::Response },
        at: row.get(1)?,
        kind: MessageKind::named(&kind).unwrap_or(MessageKind::Malformed),
        size: row.get(3)?,
        is_cut: row.get(4)?,
        note: row.get(5)?,
        payload: row.get(6)?,
    })
}

fn connection(row: &Row<'_>) -> rusqlite::Result<Connection> {
    let tls = |at: usize| -> rusqlite::Result<Option<Tls>> {
        let Some(suite) = row.get(at)? else { return Ok(None) };
        let (resumed, took_us) = (row.get::<_, Option<bool>>(at + 1)?, row.get::<_, Option<u64>>(at + 2)?);
        Ok(Some(Tls { suite, resumed: resumed.unwrap_or_default(), took_us: took_us.unwrap_or_default() }))
    };
    let certificates: Option<String> = row.get(20)?;
    Ok(Connection {
        id: row.get(0)?,
        accepted: row.get(1)?,
        closed: row.get(2)?,
        child: row.get(3)?,
        destination: row.get(4)?,
        carried: row.get(5)?,
        pid: row.get(6)?,
        process: row.get(7)?,
        executable: row.get(8)?,
        uid: row.get(9)?,
        connect_us: row.get(10)?,
        sni: row.get(11)?,
        alpn: row.get(12)?,
        verified: row.get(13)?,
        child_tls: tls(14)?,
        server_tls: tls(17)?,
        certificates: serde_json::from_str(&certificates.unwrap_or_default()).unwrap_or_default(),
        error: row.get(21)?,
    })
}
