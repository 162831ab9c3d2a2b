//! The socket over which a session is told something while it runs.

use std::fs::{Permissions, set_permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::app::control::{Answer, Request, hear, reach, tell};

/// How long who connects may take to say what for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where who wants something of the session connects.
pub(super) struct Control(UnixListener);

/// Who has asked for something.
pub(super) struct Asker(UnixStream);

impl Control {
    /// Listens in the session's directory, for root alone.
    pub(super) fn listen(directory: &Path) -> anyhow::Result<Self> {
        let listen = || -> io::Result<UnixListener> {
            let (_directory, path) = reach(directory)?;
            let listener = UnixListener::bind(&path)?;
            set_permissions(&path, Permissions::from_mode(0o600))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        listen().map(Self).with_context(|| format!("cannot listen in `{}`", directory.display()))
    }

    /// The next request, if somebody has one.
    pub(super) fn next(&self) -> Option<(Asker, Request)> {
        let (stream, _) = self.0.accept().ok()?;
        let heard = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| {
            stream.set_write_timeout(Some(PATIENCE))?;
            hear(&stream)
        });
        let request = heard.inspect_err(|error| tracing::warn!(%error, "somebody connected and asked nothing")).ok()?;
        Some((Asker(stream), request))
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Asker {
    /// Says what came of it.
    pub(super) fn answer(mut self, answer: &Answer) {
        if let Err(error) = tell(&mut self.0, answer) {
            tracing::warn!(%error, "who asked is gone");
        }
    }
}
