//! `--audit`: every verdict, as a line of a file whose lines hold on to one another; and `agent audit verify`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};

use crate::engine::event::{Judged, micros};
use crate::engine::record::audit::{Chain, Entry};
use crate::ui;

/// Most bytes of the last line of a file that is gone on with.
const TAIL: u64 = 64 * 1024;

/// The file, and the end of its chain.
pub(super) struct Audit {
    session: String,
    out: Mutex<(File, Chain)>,
}

impl Audit {
    /// Goes on where the file ends.
    ///
    /// # Errors
    /// If it ends in something else than a line of an audit.
    pub(super) fn start(mut file: File, session: String) -> anyhow::Result<Self> {
        let length = file.metadata().context("cannot read the audit")?;
        let length = if length.is_file() { length.len() } else { 0 };
        let mut chain = Chain::default();
        if length > 0 {
            let mut tail = String::new();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).context("cannot read the audit")?;
            (&file).take(TAIL).read_to_string(&mut tail).context("cannot read the audit")?;
            let last = tail.lines().last().unwrap_or_default();
            chain = Chain::after(last).context("the file of `--audit` ends in no line of an audit; give another")?;
        }
        Ok(Self { session, out: Mutex::new((file, chain)) })
    }

    /// Writes a verdict.
    pub(super) fn write(&self, judged: &Judged) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let entry = Entry {
            at: i64::try_from(micros(since)).unwrap_or(i64::MAX),
            session: self.session.clone(),
            connection: judged.connection.0,
            exchange: judged.exchange.map(|exchange| exchange.0),
            request: judged.request.clone(),
            program: judged.program.clone(),
            verdict: judged.verdict.to_owned(),
            rule: judged.rule.clone(),
            reason: judged.reason.clone(),
            rules: judged.rules.clone(),
        };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, chain) = &mut *out;
        let mut next = chain.clone();
        // The chain goes on from what is in the file.
        match file.write_all(next.line(entry).as_bytes()) {
            Ok(()) => *chain = next,
            Err(error) => tracing::error!(%error, "the audit lacks a verdict"),
        }
    }

    /// Says how far it came: kept elsewhere, that shows what is cut off.
    pub(super) fn finish(&self) {
        let out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        tracing::info!(lines = out.1.lines, hash = out.1.hash, "the audit ends");
    }
}

/// Says whether the audit at `path` holds, from its beginning to its end; true if it does. `expect` is the hash of its
/// last line, if that was kept.
///
/// # Errors
/// If it cannot be read.
pub fn verify(path: &Path, expect: Option<&str>) -> anyhow::Result<bool> {
    let named = || format!("`{}`", path.display());
    let file = File::open(path).with_context(named)?;
    let lines: Vec<String> = BufReader::new(file).lines().collect::<Result<_, _>>().with_context(named)?;
    if lines.is_empty() {
        bail!("{}: the file is empty", named());
    }
    match Chain::verify(lines.iter().map(String::as_str)) {
        Err(broken) => ui::line(&format!("{}: {broken}", path.display())),
        Ok(chain) if expect.is_some_and(|expect| expect != chain.hash) => {
            ui::line(&format!("{}: it ends in another line than {}", path.display(), expect.unwrap_or_default()));
        }
        Ok(chain) => {
            ui::line(&format!("{}: {} verdicts, and the last is {}", path.display(), chain.lines, chain.hash));
            return Ok(true);
        }
    }
    Ok(false)
}
