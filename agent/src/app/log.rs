//! The session's log: what supervisor and worker have to say, kept off the terminal, which is the command's.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::engine::event::{Event, Sink};

/// The log starts over when it has grown to this many bytes.
const MAX_BYTES: u64 = 16 << 20;
/// How many bytes of what went wrong are kept when it does.
const KEPT_BYTES: usize = 1 << 20;
/// How many bytes a process writes before it looks how far the log has grown.
const UNSEEN: usize = 64 << 10;

/// Opens a session's log. Only its owner may read it: it names every host the session spoke to.
///
/// # Errors
/// If it cannot be opened.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)
}

/// Sends this process's messages to `file`; of what libraries say, only what is wrong. Gives what becomes of them.
pub(super) fn init(file: File) -> Lost {
    let lost = Lost::default();
    let level = if cfg!(debug_assertions) { Level::DEBUG } else { Level::INFO };
    let targets = Targets::new().with_target("agent", level).with_default(Level::WARN);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_writer(Mutex::new(Capped { file, unseen: UNSEEN, missing: Missing::default(), lost: lost.clone() }))
        .with_filter(targets);
    // A second call, in a test of several parts of this module, keeps the first.
    if tracing_subscriber::registry().with(lines).try_init().is_err() {
        tracing::debug!("the log was open already");
    }
    lost
}

/// How many lines of this process could not be written to the log, as on a disk that is full.
#[derive(Clone, Default)]
pub(super) struct Lost(Arc<AtomicU64>);

impl Lost {
    /// So far.
    pub(super) fn lines(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Writes every event to the session's log, as JSON.
pub(super) struct EventLog;

impl Sink for EventLog {
    fn emit(&self, event: Event) {
        write(&event);
    }
}

/// Writes an event to the session's log, as JSON.
pub(super) fn write(event: &Event) {
    match serde_json::to_string(event) {
        Ok(json) => tracing::info!("{json}"),
        Err(error) => tracing::error!(%error, ?event, "an event cannot be written as JSON"),
    }
}

/// A file that starts over with what went wrong when it is full. Opened for appending, it is shared by processes without
/// mixing lines.
struct Capped<F = File> {
    file: F,
    unseen: usize,
    missing: Missing,
    lost: Lost,
}

/// What the next line that can be written has to tell of first.
#[derive(Default)]
struct Missing {
    lines: u64,
    /// Whether the file ends within a line.
    is_cut: bool,
}

impl Missing {
    /// `line`, and before it what is missing.
    fn before(&self, line: &[u8]) -> Vec<u8> {
        let end = if self.is_cut { "\n" } else { "" };
        let notice = if self.lines > 0 {
            format!("{end}{} lines could not be written here\n", self.lines)
        } else {
            String::new()
        };
        [notice.as_bytes(), line].concat()
    }
}

impl Capped {
    fn start_over_if_full(&mut self, more: usize) -> io::Result<()> {
        if self.unseen >= UNSEEN {
            self.unseen = 0;
            if self.file.metadata()?.len() > MAX_BYTES {
                self.start_over()?;
            }
        }
        self.unseen += more;
        Ok(())
    }

    /// A line that another process writes meanwhile may be lost.
    fn start_over(&mut self) -> io::Result<()> {
        self.file.rewind()?;
        let kept = gone_wrong(BufReader::new(&self.file))?;
        self.file.set_len(0)?;
        self.file.write_all(&kept)
    }
}

/// The lines that are warnings or errors, of many the last, and that others are gone.
fn gone_wrong(said: impl BufRead) -> io::Result<Vec<u8>> {
    let (mut kept, mut size) = (VecDeque::new(), 0);
    for line in said.split(b'\n') {
        let line = line?;
        if is_wrong(&line) {
            size += line.len() + 1;
            kept.push_back(line);
        }
        while size > KEPT_BYTES {
            size -= kept.pop_front().map_or(size, |line| line.len() + 1);
        }
    }
    kept.push_front(b"the log was full: of what is older, only warnings and errors were kept".to_vec());
    Ok(kept.into_iter().flat_map(|line| [line, b"\n".to_vec()].concat()).collect())
}

/// Whether the word after the time says so.
fn is_wrong(line: &[u8]) -> bool {
    let level = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).nth(1);
    matches!(level, Some(b"WARN" | b"ERROR"))
}

impl<F: Write> Capped<F> {
    /// Writes a whole line or counts it as lost: nobody is helped by a program that fails because its log does.
    fn append(&mut self, line: &[u8]) {
        let bytes = self.missing.before(line);
        match self.file.write(&bytes) {
            Ok(written) if written == bytes.len() => self.missing = Missing::default(),
            result => {
                self.missing.lines += 1;
                self.missing.is_cut |= result.is_ok_and(|written| written > 0);
                self.lost.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Write for Capped {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.start_over_if_full(line.len())?;
        self.append(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;
    use std::io::{self, Write};

    use super::{Capped, KEPT_BYTES, Lost, MAX_BYTES, Missing, UNSEEN, gone_wrong, open};

    /// A disk with room for so many bytes.
    struct Disk {
        room: usize,
        written: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room);
            self.room -= fits;
            self.written.extend(&bytes[..fits]);
            if fits == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(fits) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_do_not_fit_are_counted_and_told_of_when_there_is_room_again() {
        for (room, expect) in [
            (8, "one\ntwo\n3 lines could not be written here\nsix\n"),
            (10, "one\ntwo\nth\n3 lines could not be written here\nsix\n"),
            (1000, "one\ntwo\nthree\nfour\nfive\nsix\n"),
        ] {
            let file = Disk { room, written: Vec::new() };
            let mut log = Capped { file, unseen: 0, missing: Missing::default(), lost: Lost::default() };
            for line in ["one\n", "two\n", "three\n", "four\n", "five\n"] {
                log.append(line.as_bytes());
            }
            let is_full = log.file.room == 0;
            assert_eq!(log.lost.lines(), if is_full { 3 } else { 0 }, "{room}");
            log.file.room = 1000;
            log.append(b"six\n");
            assert_eq!(String::from_utf8_lossy(&log.file.written), expect, "{room}");
        }
    }

    #[test]
    fn a_full_log_starts_over_with_what_went_wrong() {
        let path = std::env::temp_dir().join(format!("agent-log-{}", std::process::id()));
        let mut log = String::from("2026-01-01T00:00:00Z ERROR the worker died status=9\n");
        log.push_str("2026-01-01T00:00:01Z  WARN slow\n");
        while log.len() <= usize::try_from(MAX_BYTES).unwrap() {
            writeln!(log, "2026-01-01T00:00:02Z  INFO {{\"event\":\"connection_accepted\"}} WARN").unwrap();
        }
        fs::write(&path, &log).unwrap();
        let file = open(&path).unwrap();
        let mut capped = Capped { file, unseen: UNSEEN, missing: Missing::default(), lost: Lost::default() };
        capped.write_all(b"next\n").unwrap();
        let expect = "the log was full: of what is older, only warnings and errors were kept\n\
                      2026-01-01T00:00:00Z ERROR the worker died status=9\n2026-01-01T00:00:01Z  WARN slow\nnext\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expect);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn of_many_errors_a_log_keeps_the_last() {
        let errors: Vec<String> = (0..100_000).map(|n| format!("now ERROR number {n}\n")).collect();
        let kept = String::from_utf8(gone_wrong(errors.concat().as_bytes()).unwrap()).unwrap();
        assert!(kept.len() < KEPT_BYTES + 100 && kept.ends_with("now ERROR number 99999\n"));
        let first: usize = kept.lines().nth(1).unwrap().rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(kept.lines().count(), 1 + 100_000 - first);
    }
}
