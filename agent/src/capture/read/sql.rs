//! A query of the user's own, and its rows as text.

use rusqlite::types::{Value, ValueRef};

use super::{Capture, Error};

/// What a query gave.
pub struct Table {
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<Value>>,
}

impl Capture {
    /// Runs `text`, a whole query. The database is open for reading only.
    ///
    /// # Errors
    /// If it is none.
    pub fn query(&self, text: &str) -> Result<Table, Error> {
        let read = || -> rusqlite::Result<Table> {
            let mut statement = self.database.prepare(text)?;
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let width = columns.len();
            let row = |row: &rusqlite::Row<'_>| (0..width).map(|at| row.get_ref(at).map(value)).collect();
            let rows = statement.query_map([], row)?.collect::<Result<_, _>>()?;
            Ok(Table { columns, rows })
        };
        read().map_err(|error| Error::sql(text, &error))
    }
}

/// Text that is not UTF-8 is a blob to us.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(text.to_vec()),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}
