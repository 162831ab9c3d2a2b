//! The session's log: what supervisor and worker have to say, kept off the terminal, which is the command's.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::engine::event::{Event, Sink};

/// The log starts over when it has grown to this many bytes.
const MAX_BYTES: u64 = 16 << 20;
/// How many bytes a process writes before it looks how far the log has grown.
const UNSEEN: usize = 64 << 10;

/// Opens a session's log. Only its owner may read it: it names every host the session spoke to.
///
/// # Errors
/// If it cannot be opened.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// Sends this process's messages to `file`; of what libraries say, only what is wrong.
pub(super) fn init(file: File) {
    let level = if cfg!(debug_assertions) { Level::DEBUG } else { Level::INFO };
    let targets = Targets::new().with_target("agent", level).with_default(Level::WARN);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_writer(Mutex::new(Capped { file, unseen: UNSEEN }))
        .with_filter(targets);
    // A second call, in a test of several parts of this module, keeps the first.
    if tracing_subscriber::registry().with(lines).try_init().is_err() {
        tracing::debug!("the log was open already");
    }
}

/// Writes every event to the session's log, as JSON.
pub(super) struct EventLog;

impl Sink for EventLog {
    fn emit(&self, event: Event) {
        match serde_json::to_string(&event) {
            Ok(json) => tracing::info!("{json}"),
            Err(error) => tracing::error!(%error, ?event, "an event cannot be written as JSON"),
        }
    }
}

/// A file that starts over when it is full. Opened for appending, it is shared by processes without mixing lines.
struct Capped {
    file: File,
    unseen: usize,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.unseen >= UNSEEN {
            self.unseen = 0;
            if self.file.metadata()?.len() > MAX_BYTES {
                self.file.set_len(0)?;
            }
        }
        self.unseen += bytes.len();
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
