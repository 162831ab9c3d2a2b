//! What a running session can be told: one request and one answer, as lines of JSON, over a socket in its directory that
//! only root can open.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::sandbox::name::Name;
use crate::sandbox::session;

/// The socket's name in the session's directory.
const SOCKET: &str = "control";
/// Most bytes of a request or an answer.
const MAX_LINE: u64 = 1 << 20;
/// How long who asks waits: a session may be looking up the hosts that its rules name.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a session is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    /// Read the rules again.
    Reload,
    /// Say what waits for an answer.
    Questions,
    /// Take an answer.
    Answer {
        /// The question's number.
        id: u64,
        /// The answer.
        answer: Word,
    },
}

/// An answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Those that wait go on.
    Once,
    /// So do others like them, until the session ends.
    Session,
    /// So do others like them in later sessions: a rule is written into the file.
    Always,
    /// Those that wait do not go on.
    No,
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// So it is.
    Done(String),
    /// It cannot be.
    Failed(String),
}

impl From<anyhow::Result<String>> for Answer {
    fn from(result: anyhow::Result<String>) -> Self {
        match result {
            Ok(text) => Self::Done(text),
            Err(error) => Self::Failed(format!("{error:#}")),
        }
    }
}

/// Tells the session `name` something; what it says when that is done.
///
/// # Errors
/// If there is no such session, or it does not do it.
pub(super) fn ask(name: &str, request: &Request) -> anyhow::Result<String> {
    let name: Name = name.parse().with_context(|| format!("`{name}` is no name of a session"))?;
    let facts =
        session::facts(&name).with_context(|| format!("there is no session `{name}`; `agent ls` lists them"))?;
    let directory = Path::new(session::RUN).join(&facts.name);
    let connected = reach(&directory).and_then(|(_directory, socket)| UnixStream::connect(socket));
    let mut stream = connected.with_context(|| format!("session `{name}` does not listen"))?;
    stream.set_read_timeout(Some(PATIENCE)).context("cannot wait for an answer")?;
    tell(&mut stream, request).with_context(|| format!("session `{name}` does not listen"))?;
    let heard = hear(&stream).map_err(|error| match error.kind() {
        // What a time limit of a socket comes to.
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    });
    match heard.with_context(|| format!("session `{name}` does not answer"))? {
        Answer::Done(text) => Ok(text),
        Answer::Failed(why) => bail!("{why}"),
    }
}

/// The socket in a session's directory, by a path that is short enough for any name, as long as the file is open.
pub(super) fn reach(directory: &Path) -> io::Result<(File, PathBuf)> {
    let directory = File::open(directory)?;
    let socket = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(SOCKET);
    Ok((directory, socket))
}

/// Sends one line.
pub(super) fn tell(stream: &mut UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Takes one line.
pub(super) fn hear<T: for<'de> Deserialize<'de>>(stream: &UnixStream) -> io::Result<T> {
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}
