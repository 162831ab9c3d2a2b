//! One body on its way into the store: small ones stay in memory until they are over, larger ones go to a file as they
//! come. Credentials are masked before either.

use std::sync::Arc;

use crate::engine::decode::coding::{Unpacker, codings};
use crate::engine::decode::mask::{LONGEST, Masks};
use crate::engine::http::Field;

/// A body with no more than this is kept in the database itself.
pub(super) const INLINE: usize = 16 << 10;
/// What a body unpacks to while its credentials are masked.
const MAX_UNPACKED: usize = 1 << 30;

/// A body.
pub(super) struct Body {
    /// Bytes that were taken.
    pub(super) kept: u64,
    /// Of them, those that are in the store.
    stored: u64,
    /// There was more than was taken.
    pub(super) is_cut: bool,
    /// No more comes.
    pub(super) is_over: bool,
    /// Its row in the database, once it has one.
    pub(super) row: Option<i64>,
    /// The row does not say all of it.
    pub(super) is_dirty: bool,
    /// The content coding was undone.
    pub(super) is_unpacked: bool,
    pub(super) place: Place,
    limit: u64,
    masking: Option<Masking>,
}

/// Where a body is.
pub(super) enum Place {
    /// All of it.
    Memory(Vec<u8>),
    /// What is still to be written to its file.
    File(Vec<u8>),
}

impl Body {
    /// A body of which nothing has come and no more than `limit` bytes are kept.
    pub(super) fn new(limit: u64, masking: Option<Masking>) -> Self {
        Self {
            kept: 0,
            stored: 0,
            is_cut: false,
            is_over: false,
            row: None,
            is_dirty: false,
            is_unpacked: masking.as_ref().is_some_and(|masking| masking.unpacker.is_some()),
            place: Place::Memory(Vec::new()),
            limit,
            masking,
        }
    }

    /// Takes what comes next.
    pub(super) fn push(&mut self, content: &[u8]) {
        self.is_dirty = true;
        match self.masking.take() {
            None => self.keep(content),
            Some(mut masking) => {
                let masked = masking.push(content);
                self.masking = Some(masking);
                self.keep(&masked);
            }
        }
    }

    /// Notes that no more comes.
    pub(super) fn end(&mut self) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        self.is_dirty = true;
        if let Some(mut masking) = self.masking.take() {
            let rest = masking.end();
            self.is_cut |= masking.is_broken;
            self.keep(&rest);
        }
    }

    /// Notes that all that was taken is in the store.
    pub(super) const fn written(&mut self) {
        (self.stored, self.is_dirty) = (self.kept, false);
    }

    /// Lets go of what is not in the store, and of what is still to come; how many bytes that are by now.
    pub(super) fn forget(&mut self) -> u64 {
        let lost = self.kept - self.stored;
        match &mut self.place {
            Place::Memory(content) => content.truncate(usize::try_from(self.stored).unwrap_or(usize::MAX)),
            Place::File(pending) => *pending = Vec::new(),
        }
        self.is_cut |= lost > 0;
        (self.kept, self.limit) = (self.stored, self.stored);
        lost
    }

    fn keep(&mut self, content: &[u8]) {
        let room = usize::try_from(self.limit - self.kept).unwrap_or(usize::MAX);
        let taken = &content[..content.len().min(room)];
        self.is_cut |= taken.len() < content.len();
        self.kept += taken.len() as u64;
        match &mut self.place {
            Place::Memory(memory) if memory.len() + taken.len() > INLINE => {
                let mut pending = std::mem::take(memory);
                pending.extend_from_slice(taken);
                self.place = Place::File(pending);
            }
            Place::Memory(pending) | Place::File(pending) => pending.extend_from_slice(taken),
        }
    }
}

/// Masks a body as it comes: its end is held back, since a credential may go on in what comes next.
pub(super) struct Masking {
    masks: Arc<Masks>,
    unpacker: Option<Unpacker>,
    held: Vec<u8>,
    /// The content coding is broken; nothing more is taken.
    is_broken: bool,
}

impl Masking {
    /// Masks a body that has `fields` in its head. What is coded in an unknown way is kept as it comes: nothing can be
    /// read in it.
    pub(super) fn new(masks: Arc<Masks>, fields: &[Field]) -> Self {
        let codings = codings(fields).filter(|codings| !codings.is_empty());
        let unpacker = codings.map(|codings| Unpacker::new(&codings, MAX_UNPACKED));
        Self { masks, unpacker, held: Vec::new(), is_broken: false }
    }

    fn push(&mut self, content: &[u8]) -> Vec<u8> {
        if self.is_broken {
            return Vec::new();
        }
        match &mut self.unpacker {
            None => self.held.extend_from_slice(content),
            Some(unpacker) => self.is_broken = unpacker.feed(content, &mut self.held).is_err(),
        }
        if self.held.len() <= 2 * LONGEST {
            return Vec::new();
        }
        let settled = self.masks.settle(&mut self.held);
        let rest = self.held.split_off(settled);
        std::mem::replace(&mut self.held, rest)
    }

    fn end(&mut self) -> Vec<u8> {
        self.masks.text(&mut self.held);
        std::mem::take(&mut self.held)
    }
}
