//! Sees every frame that arrives outside, on a packet socket, and keeps those that are asked about later.

use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::canary::contains;
use crate::bypass::raw;

/// Bytes of a frame that are kept: attempts are small.
const SNAP: usize = 2048;

/// What the arena itself sends begins so.
const MARK: &str = "agent-mark-";

/// The frames that have arrived.
pub(crate) struct Watch {
    seen: Arc<(Mutex<Vec<Vec<u8>>>, Condvar)>,
    marks: AtomicU64,
}

impl Watch {
    /// Watches the calling thread's namespace.
    pub(super) fn start() -> anyhow::Result<Self> {
        let every = i32::from((nix::libc::ETH_P_ALL as u16).to_be());
        let mut socket =
            raw::socket(nix::libc::AF_PACKET, nix::libc::SOCK_RAW, every).context("cannot watch the wire")?;
        let seen: Arc<(Mutex<Vec<Vec<u8>>>, Condvar)> = Arc::default();
        let noted = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; SNAP];
            while let Ok(length) = socket.read(&mut buffer) {
                noted.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer[..length].to_vec());
                noted.1.notify_all();
            }
        });
        Ok(Self { seen, marks: AtomicU64::new(0) })
    }

    /// How many frames bear the text or name one of the addresses, as far as they are IP.
    pub(crate) fn count(&self, text: &str, v4: Ipv4Addr, v6: Ipv6Addr) -> usize {
        let is_meant = |frame: &&Vec<u8>| {
            let ip4 = frame.get(26..34).is_some_and(|ends| ends.chunks(4).any(|end| end == v4.octets()));
            let ip6 = frame.get(22..54).is_some_and(|ends| ends.chunks(16).any(|end| end == v6.octets()));
            let ether_type = frame.get(12..14);
            contains(frame, text.as_bytes())
                || ip4 && ether_type == Some(&[0x08, 0])
                || ip6 && ether_type == Some(&[0x86, 0xdd])
        };
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(is_meant).count()
    }

    /// How many frames bear none of our marks.
    pub(crate) fn others(&self) -> usize {
        let frames = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        frames.iter().filter(|frame| !contains(frame, MARK.as_bytes())).count()
    }

    /// Text that no frame has borne yet.
    pub(super) fn next_mark(&self) -> String {
        format!("{MARK}{}-{}.", std::process::id(), self.marks.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits until a frame bears the text, and forgets those before it that bear no token of an attempt.
    pub(super) fn wait_for(&self, text: &str, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        let (seen, changed) = &*self.seen;
        let mut frames = seen.lock().unwrap_or_else(PoisonError::into_inner);
        while !frames.iter().any(|frame| contains(frame, text.as_bytes())) {
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "the wire to the outside carries nothing");
            frames = changed.wait_timeout(frames, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Forgets all frames.
    pub(crate) fn clear(&self) {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
