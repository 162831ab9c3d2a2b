//! What a session has recorded, as sqlite3(1) and zstd(1) read it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process;
use crate::tools;
use crate::wait::eventually;

/// A session's capture.
pub struct Recorded(pub(crate) PathBuf);

impl Recorded {
    /// The capture in this directory.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The rows that a query gives, each an object.
    ///
    /// # Panics
    /// If the query fails.
    #[must_use]
    pub fn rows(&self, sql: &str) -> Vec<Value> {
        let database = self.0.join("capture.db");
        let output = process::run(tools::command("sqlite3").args(["-readonly", "-json"]).arg(database).arg(sql));
        let text = output.ok();
        if text.is_empty() { Vec::new() } else { serde_json::from_str(text).unwrap() }
    }

    /// The one value that a query gives.
    ///
    /// # Panics
    /// If it gives none, or more rows.
    #[must_use]
    pub fn value(&self, sql: &str) -> Value {
        let rows = self.rows(sql);
        let [row] = &rows[..] else { panic!("{sql}: {rows:?}") };
        row.as_object().unwrap().values().next().unwrap().clone()
    }

    /// Waits until a query gives this value: what passes is recorded within 250 ms.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait(&self, sql: &str, expect: &Value) {
        eventually(sql, || (self.value(sql) == *expect).then_some(()));
    }

    /// The content of a body.
    ///
    /// # Panics
    /// If there is no such body, or its file is broken.
    #[must_use]
    pub fn body(&self, id: &Value) -> Vec<u8> {
        let sql = format!("SELECT hex(content) AS content, file FROM bodies WHERE id = {id}");
        let rows = self.rows(&sql);
        let row = &rows[0];
        match row["file"].as_str() {
            Some(file) => {
                let path = self.0.join("bodies").join(file);
                let unpacked = tools::command("zstd").args(["-dc", "--"]).arg(path).output().unwrap();
                assert!(unpacked.status.success(), "{file}: {unpacked:?}");
                unpacked.stdout
            }
            None => {
                let digits = row["content"].as_str().unwrap().as_bytes();
                digits
                    .chunks(2)
                    .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 16).unwrap())
                    .collect()
            }
        }
    }
}
