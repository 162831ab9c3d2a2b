//! What waits to be written, between those who let it pass and the one who writes. It is bounded: while it is full,
//! nobody may let more pass.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::engine::event::{Event, ExchangeId, Judged};
use crate::engine::http::tape::Passed;

/// Bytes that may wait to be written; each thread that is just letting something pass may add one part more.
const FULL: usize = 2 << 20;
/// There is room again when no more than this waits.
const ROOM: usize = 1 << 20;
/// So much is written at once, without waiting for the next turn.
const PROMPT: usize = 1 << 19;
/// What an item counts besides its content.
const OVERHEAD: usize = 256;

/// Something to be recorded, and when it was: microseconds since 1970.
pub(super) struct Item {
    pub(super) at: i64,
    pub(super) fact: Fact,
}

pub(super) enum Fact {
    /// Boxed: most items are parts of exchanges, and small.
    Event(Box<Event>),
    /// Boxed: most requests have none.
    Judged(Box<Judged>),
    Passed(ExchangeId, Passed),
    /// A secret of a TLS connection: whose, and its line in a key log.
    Secret(&'static str, String),
}

/// What the writer is given in one turn.
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    /// What it counts; to be given back with [`Queue::written`].
    pub(super) weight: usize,
    /// Nothing comes after it.
    pub(super) is_last: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    came: Condvar,
    is_full: AtomicBool,
}

#[derive(Default)]
struct State {
    items: Vec<Item>,
    /// Of the items, and of those that the writer has not written yet.
    weight: usize,
    /// Of the items alone.
    unseen: usize,
    /// Who waits for room, each task once: by what tells wakers apart.
    waiting: HashMap<(usize, usize), Waker>,
    /// Nothing can be written, and nobody may let anything pass.
    is_halted: bool,
    is_closed: bool,
}

impl Queue {
    /// Adds something. It never blocks: who may add more is told by [`Queue::poll_room`].
    pub(super) fn put(&self, fact: Fact) {
        let item = Item { at: now(), fact };
        let weight = OVERHEAD + item.size();
        let mut state = self.state();
        if state.is_closed {
            return;
        }
        state.items.push(item);
        state.weight += weight;
        state.unseen += weight;
        if state.weight >= FULL {
            self.is_full.store(true, Ordering::Release);
        }
        let is_prompt = state.unseen >= PROMPT && state.unseen - weight < PROMPT;
        drop(state);
        if is_prompt {
            self.came.notify_one();
        }
    }

    /// Ready while there is room.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_full.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let mut state = self.state();
        if (state.weight < FULL && !state.is_halted) || state.is_closed {
            return Poll::Ready(());
        }
        let waker = cx.waker();
        let task = (waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr());
        state.waiting.entry(task).or_insert_with(|| waker.clone());
        Poll::Pending
    }

    /// What has come within `patience`, or at once if that is much.
    pub(super) fn take(&self, patience: Duration) -> Batch {
        let waiting = |state: &mut State| state.unseen < PROMPT && !state.is_closed;
        let waited = self.came.wait_timeout_while(self.state(), patience, waiting);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let weight = std::mem::take(&mut state.unseen);
        Batch { items: std::mem::take(&mut state.items), weight, is_last: state.is_closed }
    }

    /// A batch is written, or given up.
    pub(super) fn written(&self, weight: usize) {
        let mut state = self.state();
        state.weight -= weight;
        self.open(state);
    }

    /// Lets nobody let more pass, whatever waits, or lets them again.
    pub(super) fn halt(&self, is_halted: bool) {
        let mut state = self.state();
        state.is_halted = is_halted;
        if is_halted { self.is_full.store(true, Ordering::Release) } else { self.open(state) }
    }

    /// Wakes those who wait, if there is room.
    fn open(&self, mut state: MutexGuard<'_, State>) {
        if state.weight <= ROOM && !state.is_halted {
            self.is_full.store(false, Ordering::Release);
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            waiting.into_values().for_each(Waker::wake);
        }
    }

    /// Sleeps, but no longer than until nothing more comes; whether that is so.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let waited = self.came.wait_timeout_while(self.state(), time, |state| !state.is_closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_closed
    }

    /// Takes nothing more.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.came.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Item {
    /// Bytes of what it holds, about.
    fn size(&self) -> usize {
        match &self.fact {
            Fact::Event(event) => match &**event {
                Event::TlsIntercepted { certificates, .. } => certificates.iter().map(bytes::Bytes::len).sum(),
                _ => OVERHEAD,
            },
            Fact::Passed(_, Passed::Data(_, data)) => data.len(),
            Fact::Passed(_, Passed::Request(_, head)) => head.path.len() + size(&head.fields) + size(&head.pseudo),
            Fact::Passed(_, Passed::Response(_, fields) | Passed::Trailers(_, fields)) => size(fields),
            Fact::Passed(_, Passed::End(_)) => 0,
            Fact::Secret(_, line) => line.len(),
            Fact::Judged(judged) => judged.request.len() + judged.rules.len(),
        }
    }
}

fn size(fields: &[crate::engine::http::Field]) -> usize {
    fields.iter().map(|field| size_of_val(field) + field.name.len() + field.value.len()).sum()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Waker;

    use bytes::Bytes;

    use super::*;
    use crate::engine::http::exchange::Direction;

    fn data(length: usize) -> Fact {
        Fact::Passed(ExchangeId(1), Passed::Data(Direction::Request, Bytes::from(vec![0; length])))
    }

    fn room(queue: &Queue, waker: &Waker) -> bool {
        queue.poll_room(&Context::from_waker(waker)).is_ready()
    }

    #[test]
    fn what_is_full_has_room_again_when_enough_is_written() {
        struct Woken(AtomicBool);
        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Release);
            }
        }
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        let queue = Queue::default();
        let mut pieces = 0;
        while room(&queue, &waker) {
            queue.put(data(100_000));
            pieces += 1;
        }
        assert_eq!(pieces, FULL.div_ceil(100_000 + OVERHEAD));
        let batch = queue.take(Duration::ZERO);
        assert_eq!(batch.items.len(), pieces);
        assert!(!room(&queue, &waker), "what is taken is not written yet");
        queue.put(data(1));
        queue.written(batch.weight);
        assert!(woken.0.load(Ordering::Acquire) && room(&queue, &waker));
        assert_eq!(queue.take(Duration::ZERO).items.len(), 1);
    }

    #[test]
    fn everyone_who_waits_is_woken() {
        struct Count(std::sync::atomic::AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::AcqRel);
            }
        }
        let tasks: Vec<_> = (0..3).map(|_| Arc::new(Count(0.into()))).collect();
        let queue = Queue::default();
        queue.put(data(FULL));
        for task in tasks.iter().chain(&tasks) {
            assert!(!room(&queue, &Waker::from(Arc::clone(task))));
        }
        let batch = queue.take(Duration::ZERO);
        queue.written(batch.weight);
        assert_eq!(tasks.iter().map(|task| task.0.load(Ordering::Acquire)).collect::<Vec<_>>(), [1, 1, 1]);
    }

    #[test]
    fn what_comes_after_the_end_is_not_taken() {
        let queue = Queue::default();
        queue.put(data(1));
        queue.close();
        queue.put(data(1));
        let batch = queue.take(Duration::from_secs(60));
        assert_eq!((batch.items.len(), batch.is_last), (1, true));
        assert!(queue.pause(Duration::from_secs(60)));
    }
}
