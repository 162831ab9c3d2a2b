//! What the rest of the agent sees of the capture: something to tell of what passes.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use super::queue::{Fact, Queue};
use super::store::Store;
use super::writer::Writer;
use super::{Config, Error};
use crate::engine::event::{Event, Events, ExchangeId, Judged};
use crate::engine::http::tape::{Passed, Tape};

/// The recorder of a session. It writes until it is closed.
pub struct Recorder {
    queue: Arc<Queue>,
    writing: Mutex<Option<JoinHandle<()>>>,
    /// The latest connection and exchange that the directory had before.
    last: (u64, u64),
}

impl Recorder {
    /// Opens the session's directory, which exists, and begins to write. What goes wrong later is told to `report`.
    ///
    /// # Errors
    /// If the directory cannot be written, or has the capture of another version.
    pub fn open(config: &Config, report: Events) -> Result<Arc<Self>, Error> {
        let store = Store::open(config)?;
        let last = store.last();
        let queue = Arc::new(Queue::default());
        let mut writer = Writer::new(config, store, Arc::clone(&queue), report)?;
        let thread = std::thread::Builder::new().name("capture".into());
        let writing = thread.spawn(move || writer.run()).map_err(Error::Thread)?;
        Ok(Arc::new(Self { queue, writing: Mutex::new(Some(writing)), last }))
    }

    /// The numbers of the latest connection and the latest exchange that are recorded already.
    #[must_use]
    pub const fn last(&self) -> (u64, u64) {
        self.last
    }

    /// Takes a fact.
    pub fn note(&self, event: Event) {
        // The tape has told of it.
        if !matches!(event, Event::ExchangeStarted { .. }) {
            self.queue.put(Fact::Event(Box::new(event)));
        }
    }

    /// Takes the verdict of a request.
    pub fn judged(&self, judged: Judged) {
        self.queue.put(Fact::Judged(Box::new(judged)));
    }

    /// Takes a secret of a TLS connection on `side`, `child` or `upstream`: its line in a key log.
    pub fn secret(&self, side: &'static str, line: String) {
        self.queue.put(Fact::Secret(side, line));
    }

    /// Writes what waits and ends.
    pub fn close(&self) {
        self.queue.close();
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writing.is_some_and(|writing| writing.join().is_err()) {
            tracing::error!("the capture is not complete: its thread panicked");
        }
    }
}

impl Tape for Recorder {
    fn passed(&self, exchange: ExchangeId, part: Passed) {
        self.queue.put(Fact::Passed(exchange, part));
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.queue.poll_room(cx)
    }
}
