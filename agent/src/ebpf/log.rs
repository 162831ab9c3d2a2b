//! What the programs of a debug build log about each packet they refuse; a release build's log nothing.

use std::os::fd::AsFd as _;

use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::dataplane::Dataplane;

/// Passes the programs' messages on to this process's log, for as long as the process lives.
///
/// # Errors
/// If the programs have no log.
pub fn follow(dataplane: &mut Dataplane) -> Result<(), aya_log::Error> {
    let mut logger = EbpfLogger::init_with_logger(dataplane.ebpf_mut(), ToTracing)?;
    std::thread::spawn(move || {
        loop {
            logger.flush();
            let mut fds = [PollFd::new(logger.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(_) => return,
            }
        }
    });
    Ok(())
}

struct ToTracing;

impl Log for ToTracing {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        tracing::debug!(program = record.target(), "{}", record.args());
    }

    fn flush(&self) {}
}
