//! Finds text in bodies without their content codings, and in messages. Content that many exchanges have is looked at
//! once, by as many threads as there are processors, each with a connection to the database of its own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use regex::bytes::Regex;
use rusqlite::types::ValueRef;
use rusqlite::{Row, params_from_iter};

use super::bodies::{has_moved, unpack};
use super::exchange::fields;
use super::outline::TABLES;
use super::{Capture, Error, Filter};
use crate::engine::http::Field;
use crate::engine::record::Content;

/// Rows that a thread takes at once.
const PIECE: usize = 512;

/// Exchanges by the bodies that they have.
type Users = BTreeMap<i64, Vec<User>>;

/// The bodies of one exchange, if it has such: their rows, and what the exchange says of them.
type Bodies = [Option<(i64, User)>; 2];

/// An exchange that has a body, and what its head says of the body's coding, which is most often nothing.
struct User {
    exchange: i64,
    coding: Vec<Field>,
}

impl Capture {
    /// The numbers of the exchanges, among those that `filter` means and whose number is in `ids`, that have `text` in a
    /// body or a message.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn grep(&self, filter: &Filter, ids: RangeInclusive<i64>, text: &str) -> Result<Vec<i64>, Error> {
        let (exchanges, users) = self.candidates(filter, ids)?;
        // A literal: the search is one for its rarest bytes.
        let Ok(wanted) = Regex::new(&regex::escape(text)) else { return Ok(Vec::new()) };
        let (rows, streams): (Vec<i64>, Vec<i64>) = (users.keys().copied().collect(), self.streams(&exchanges)?);
        let search = Search { users, wanted, found: Mutex::default(), next: AtomicUsize::new(0) };
        let pieces: Vec<Piece<'_>> =
            rows.chunks(PIECE).map(Piece::Bodies).chain(streams.chunks(PIECE).map(Piece::Messages)).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(pieces.len());
        let directory = self.directory.as_path();
        let other = || Self::open(directory).and_then(|capture| search.run(&capture, &pieces));
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(other)).collect();
            let own = search.run(self, &pieces);
            let joined = others.into_iter().map(|other| other.join().unwrap_or(Ok(())));
            joined.chain([own]).collect::<Result<(), Error>>()
        })?;
        let found = search.found.into_inner().unwrap_or_default();
        Ok(found.into_iter().collect())
    }

    /// The exchanges that are meant, and their bodies.
    fn candidates(&self, filter: &Filter, ids: RangeInclusive<i64>) -> Result<(BTreeSet<i64>, Users), Error> {
        let condition = filter.sql();
        let coded = |head: &str| format!("CASE WHEN instr(lower({head}), '\"content-encoding\"') THEN {head} END");
        let sql = format!(
            "SELECT e.id, e.request_body, e.response_body, {}, {} FROM {TABLES} WHERE {} AND e.id BETWEEN {} AND {}",
            coded("e.request_head"),
            coded("e.response_head"),
            condition.sql,
            ids.start(),
            ids.end(),
        );
        let read = || {
            let (mut exchanges, mut users) = (BTreeSet::new(), HashMap::<i64, Vec<User>>::new());
            let mut statement = self.database.prepare(&sql)?;
            for found in statement.query_map(params_from_iter(&condition.values), candidate)? {
                let (exchange, bodies) = found?;
                exchanges.insert(exchange);
                for (body, user) in bodies.into_iter().flatten() {
                    users.entry(body).or_default().push(user);
                }
            }
            Ok((exchanges, users.into_iter().collect()))
        };
        read().map_err(|error| filter.blame(error))
    }

    /// Those of `exchanges` that have messages.
    fn streams(&self, exchanges: &BTreeSet<i64>) -> Result<Vec<i64>, Error> {
        let mut statement = self.database.prepare("SELECT DISTINCT exchange FROM messages ORDER BY exchange")?;
        let all: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(all.into_iter().filter(|exchange| exchanges.contains(exchange)).collect())
    }
}

/// An exchange's number, and its bodies.
fn candidate(row: &Row<'_>) -> rusqlite::Result<(i64, Bodies)> {
    let exchange = row.get(0)?;
    let body = |body: usize, head: usize| -> rusqlite::Result<Option<(i64, User)>> {
        let Some(body) = row.get(body)? else { return Ok(None) };
        let head: Option<String> = row.get(head)?;
        let mut coding = head.map(|head| fields(&head)).unwrap_or_default();
        coding.retain(|field| field.is("content-encoding"));
        Ok(Some((body, User { exchange, coding })))
    };
    Ok((exchange, [body(1, 3)?, body(2, 4)?]))
}

/// What a thread takes at once.
enum Piece<'a> {
    /// Rows of bodies.
    Bodies(&'a [i64]),
    /// Exchanges with messages.
    Messages(&'a [i64]),
}

struct Search {
    users: Users,
    wanted: Regex,
    found: Mutex<BTreeSet<i64>>,
    next: AtomicUsize,
}

impl Search {
    /// Takes pieces until there are none.
    fn run(&self, capture: &Capture, pieces: &[Piece<'_>]) -> Result<(), Error> {
        while let Some(piece) = pieces.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let found = match piece {
                Piece::Bodies(rows) => self.bodies(capture, rows)?,
                Piece::Messages(exchanges) => self.messages(capture, exchanges)?,
            };
            if let Ok(mut all) = self.found.lock() {
                all.extend(found);
            }
        }
        Ok(())
    }

    /// The exchanges that have the text in one of the bodies `wanted`, whose numbers ascend.
    fn bodies(&self, capture: &Capture, wanted: &[i64]) -> Result<Vec<i64>, Error> {
        let mut found = Vec::new();
        let sql = "SELECT id, size, coding IS NOT NULL, content, file FROM bodies WHERE id BETWEEN ? AND ? ORDER BY id";
        let mut statement = capture.database.prepare_cached(sql)?;
        let mut rows = statement.query([wanted.first(), wanted.last()])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let Some(users) = self.users.get(&id).filter(|_| wanted.binary_search(&id).is_ok()) else { continue };
            let is_decoded = row.get(2)?;
            if let ValueRef::Blob(content) = row.get_ref(3)? {
                found.extend(self.users_of(content, is_decoded, users));
                continue;
            }
            let file: Option<String> = row.get(4)?;
            match unpack(&capture.directory, &file.unwrap_or_default(), row.get(1)?) {
                Ok((content, _)) => found.extend(self.users_of(&content, is_decoded, users)),
                Err(error) if has_moved(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Those of `users` for whom `content` has the text, decoded as their heads say.
    fn users_of(&self, content: &[u8], is_decoded: bool, users: &[User]) -> Vec<i64> {
        let mut known: Vec<(&[Field], bool)> = Vec::new();
        let fits = |coding: &[Field]| self.wanted.is_match(&decoded(content, is_decoded, coding));
        let mut found = Vec::new();
        for User { exchange, coding } in users {
            let answer = known.iter().find(|(other, _)| other == coding).map(|(_, answer)| *answer);
            let answer = answer.unwrap_or_else(|| {
                let answer = fits(coding);
                known.push((coding, answer));
                answer
            });
            found.extend(answer.then_some(*exchange));
        }
        found
    }

    /// The exchanges that have the text in a message.
    fn messages(&self, capture: &Capture, exchanges: &[i64]) -> Result<Vec<i64>, Error> {
        let mut found = Vec::new();
        let mut statement = capture.database.prepare_cached("SELECT payload FROM messages WHERE exchange = ?")?;
        for exchange in exchanges {
            let mut rows = statement.query([exchange])?;
            while let Some(row) = rows.next()? {
                if let ValueRef::Blob(payload) = row.get_ref(0)?
                    && self.wanted.is_match(payload)
                {
                    found.push(*exchange);
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// A body without its codings, as far as they can be undone.
fn decoded<'a>(content: &'a [u8], is_decoded: bool, coding: &[Field]) -> Cow<'a, [u8]> {
    if is_decoded || coding.is_empty() {
        return Cow::Borrowed(content);
    }
    let content = Content { bytes: content.to_vec(), is_cut: true, ..Content::default() };
    Cow::Owned(content.decoded(coding).bytes.into_owned())
}
