//! The thread that writes: takes what came, notes it, writes what changed, ten times a second or when much has come.

use std::sync::Arc;
use std::time::Duration;

use super::book::Book;
use super::queue::{Fact, Queue};
use super::store::Store;
use super::{Config, Error, OnFull};
use crate::engine::event::{Event, Events};

/// How long what passed may wait to be written. Together with a commit it stays below the 250 ms that a killed worker
/// may lose.
const TURN: Duration = Duration::from_millis(100);
/// How long after a failure writing is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    queue: Arc<Queue>,
    store: Store,
    book: Book,
    on_full: OnFull,
    report: Events,
    /// Since the latest failure nothing could be written.
    has_failed: bool,
}

impl Writer {
    pub(super) fn new(config: &Config, store: Store, queue: Arc<Queue>, report: Events) -> Result<Self, Error> {
        let book = Book::new(config)?;
        Ok(Self { queue, store, book, on_full: config.on_full, report, has_failed: false })
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(&mut self) {
        loop {
            let batch = self.queue.take(TURN);
            for item in batch.items {
                match item.fact {
                    Fact::Event(event) => self.book.event(item.at, *event),
                    Fact::Judged(judged) => self.book.judged(*judged),
                    Fact::Secret(side, line) => self.book.secret(item.at, side, line),
                    Fact::Passed(exchange, part) => self.book.passed(item.at, exchange, part),
                }
            }
            if batch.is_last {
                self.book.end();
            }
            self.write();
            self.queue.written(batch.weight);
            if batch.is_last {
                return;
            }
        }
    }

    /// Writes what has changed. If that cannot be, either tries again until it can, and traffic waits, or lets go of it.
    fn write(&mut self) {
        while let Err(error) = self.store.write(&mut self.book) {
            self.failed(&error);
            if self.on_full == OnFull::Continue {
                self.store.forget(&mut self.book);
                return;
            }
            self.queue.halt(true);
            if self.queue.pause(RETRY) {
                tracing::error!("the capture is not complete: {error}");
                return;
            }
        }
        if std::mem::take(&mut self.has_failed) {
            self.queue.halt(false);
            self.report.emit(Event::CaptureResumed { unrecorded_bytes: self.book.unrecorded() });
        }
    }

    fn failed(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.has_failed, true) {
            let blocks = self.on_full == OnFull::Block;
            self.report.emit(Event::CaptureFailed { reason: error.to_string(), blocks });
        }
    }
}
