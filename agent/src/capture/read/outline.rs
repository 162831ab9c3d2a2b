//! Exchanges as a list shows them.

use std::ops::RangeInclusive;

use rusqlite::{Row, params_from_iter};

use super::{Capture, Error, Filter};
use crate::engine::record::Outline;

const COLUMNS: &str = "e.id, e.connection, e.started, e.sent, e.answered, e.received, e.finished, e.version, e.method, \
     e.scheme, e.authority, e.host, e.path, e.status, e.request_size, e.response_size, e.stream, e.verdict, e.rule, \
     e.error, c.process, c.pid";
pub(super) const TABLES: &str = "exchanges e LEFT JOIN connections c ON c.id = e.connection";

impl Capture {
    /// The exchanges that `filter` means and whose number is in `ids`, in the order of their numbers.
    ///
    /// # Errors
    /// If they cannot be read, or the filter's condition is no SQL.
    pub fn outlines(&self, filter: &Filter, ids: RangeInclusive<i64>) -> Result<Vec<Outline>, Error> {
        let condition = filter.sql();
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE {} AND e.id BETWEEN {} AND {} ORDER BY e.id",
            condition.sql,
            ids.start(),
            ids.end()
        );
        let read = || -> rusqlite::Result<Vec<Outline>> {
            let mut statement = self.database.prepare(&sql)?;
            statement.query_map(params_from_iter(&condition.values), outline)?.collect()
        };
        read().map_err(|error| filter.blame(error))
    }

    /// The largest number such that no exchange up to it, from `after` on, is still going on.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn settled(&self, after: i64) -> Result<i64, Error> {
        let sql = "SELECT coalesce((SELECT min(id) - 1 FROM exchanges WHERE finished IS NULL AND id > ?1), \
             (SELECT max(id) FROM exchanges), ?1)";
        Ok(self.database.query_row(sql, [after], |row| row.get(0))?)
    }

    /// Those of `ids` that there are.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn outlines_of(&self, ids: &[i64]) -> Result<Vec<Outline>, Error> {
        let mut statement = self.database.prepare(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE e.id = ?"))?;
        let mut outlines = Vec::with_capacity(ids.len());
        for id in ids {
            for outline in statement.query_map([id], outline)? {
                outlines.push(outline?);
            }
        }
        Ok(outlines)
    }
}

impl Filter {
    /// What fails where there is a condition in SQL is most often that.
    pub(super) fn blame(&self, source: rusqlite::Error) -> Error {
        match &self.condition {
            Some(text) if matches!(source, rusqlite::Error::SqlInputError { .. }) => Error::sql(text, &source),
            _ => source.into(),
        }
    }
}

pub(super) fn outline(row: &Row<'_>) -> rusqlite::Result<Outline> {
    Ok(Outline {
        id: row.get(0)?,
        connection: row.get(1)?,
        started: row.get(2)?,
        sent: row.get(3)?,
        answered: row.get(4)?,
        received: row.get(5)?,
        finished: row.get(6)?,
        version: row.get(7)?,
        method: row.get(8)?,
        scheme: row.get(9)?,
        authority: row.get(10)?,
        host: row.get(11)?,
        path: row.get(12)?,
        status: row.get(13)?,
        request_size: row.get(14)?,
        response_size: row.get(15)?,
        stream: row.get(16)?,
        verdict: row.get(17)?,
        rule: row.get(18)?,
        error: row.get(19)?,
        process: row.get(20)?,
        pid: row.get(21)?,
    })
}
