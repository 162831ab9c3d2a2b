//! Signals as a stream, with who sent them: what a terminal sends has reached the command already, what a process sends
//! has not.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use anyhow::Context as _;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What is read instead of delivered. Stopping and continuing is left to the kernel: it stops the supervisor with the
/// command, as the shell expects.
const WATCHED: [Signal; 7] = [
    Signal::SIGCHLD,
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// A signal that has arrived.
pub(super) enum Arrived {
    /// A child has changed its state.
    Child,
    /// Any other.
    Other {
        /// Which.
        signal: Signal,
        /// Whether the kernel sent it, on behalf of the terminal.
        from_terminal: bool,
    },
}

/// The signals of this process.
pub(super) struct Signals(SignalFd);

impl Signals {
    /// Stops delivery of the watched signals to the calling thread and those it starts.
    pub(super) fn block() -> anyhow::Result<Self> {
        let set: SigSet = WATCHED.into_iter().collect();
        set.thread_block().context("cannot block signals")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        SignalFd::with_flags(&set, flags).map(Self).context("cannot read signals")
    }

    /// The next signal; none within `timeout`, or when one of `others` can be read.
    pub(super) fn wait(&self, timeout: Duration, others: &[BorrowedFd<'_>]) -> anyhow::Result<Option<Arrived>> {
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let all = std::iter::once(self.0.as_fd()).chain(others.iter().copied());
        let mut fds: Vec<PollFd<'_>> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno).context("cannot wait for signals"),
        }
        let Some(info) = self.0.read_signal().context("cannot read a signal")? else { return Ok(None) };
        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
        let signal = Signal::try_from(number).context("an unknown signal arrived")?;
        Ok(Some(match signal {
            Signal::SIGCHLD => Arrived::Child,
            signal => Arrived::Other { signal, from_terminal: info.ssi_code == nix::libc::SI_KERNEL },
        }))
    }
}
