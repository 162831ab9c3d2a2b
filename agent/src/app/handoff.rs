//! What supervisor and worker tell each other over the worker's standard input: first settings as JSON, and descriptors;
//! then orders one way and reports the other. When the supervisor closes its end for writing, the worker drains and ends.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::packets::Extra;
use crate::capture;
use crate::engine::policy::Policy;
use crate::engine::policy::rules::ask::Choice;
use crate::proxy::{Ca, ClientCertificate};
use crate::sandbox::fds;

/// More than any settings need; a broken peer must not make the reader allocate without end.
const MAX_SETTINGS: u64 = 16 << 20;

/// What the worker says when it has given up its privileges: only then is it given anything.
pub(super) const CONFINED: u8 = 1;
/// More than any report needs: a worker that was taken over must not fill the supervisor's memory.
const MAX_REPORT: usize = 64 * 1024;

/// What a worker is told while it serves.
#[derive(Serialize, Deserialize)]
pub(super) enum Order {
    /// From now on this is allowed.
    Policy(Box<Policy>),
    /// This is the answer to a question.
    Answer {
        /// Its number.
        id: u64,
        /// Whether what was asked about may go on.
        yes: bool,
        /// It holds for the session.
        lasts: bool,
    },
}

/// What somebody is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    /// Its number.
    pub(super) id: u64,
    /// The rule that wants it.
    pub(super) rule: String,
    /// The host that the request goes to; address and port of what is not read, unless TLS names one.
    pub(super) host: String,
    /// The first request that it is about.
    pub(super) request: String,
    /// The program that sends it, if that is known.
    pub(super) program: Option<String>,
    /// What the rule says beside it.
    pub(super) reason: Option<String>,
    /// The answer where there is nobody at a terminal.
    pub(super) unattended: Option<Choice>,
}

/// What a worker tells while it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Report {
    /// It serves.
    Ready,
    /// What it was ordered to allow is what it allows.
    Adopted,
    /// Somebody is to be asked.
    Asked(Question),
    /// Nobody waits for the answer to the question of this number any more.
    Withdrawn(u64),
}

/// The worker's settings.
#[derive(Serialize, Deserialize)]
pub(super) struct Settings {
    /// The session's name.
    pub(super) session: String,
    /// What the session allows.
    pub(super) policy: Policy,
    /// The certificate authority, key included.
    pub(super) ca: Ca,
    /// Roots to trust upstream besides the system's, which the worker reads, in DER.
    pub(super) upstream_roots: Vec<Vec<u8>>,
    /// What servers that ask for a client's certificate are shown, keys included.
    pub(super) client_certificates: Vec<ClientCertificate>,
    /// Whom to forward DNS queries to.
    pub(super) resolvers: Vec<SocketAddr>,
    /// What is recorded, in the worker's root directory.
    pub(super) capture: Option<capture::Config>,
    /// Index of the gateway's end of the veth, part of every flow's key.
    pub(super) ifindex: u32,
    /// What the descriptors are that follow those which every worker gets.
    pub(super) extras: Vec<Extra>,
}

/// Sends settings and descriptors.
///
/// # Errors
/// If the worker is gone.
pub(super) fn send(mut socket: &UnixStream, settings: &Settings, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    fds::send(socket.as_fd(), descriptors)?;
    tell(&mut socket, settings)
}

/// Sends one message: its length in eight bytes, and JSON.
///
/// # Errors
/// If nobody takes it.
pub(super) fn tell(to: &mut impl io::Write, message: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_vec(message)?;
    let length = u64::try_from(json.len()).map_err(io::Error::other)?;
    to.write_all(&[&length.to_be_bytes()[..], &json].concat())
}

/// Takes one message that [`tell`] sent.
///
/// # Errors
/// If there is none, whole.
pub(super) fn hear<T: DeserializeOwned>(mut from: impl io::Read) -> io::Result<T> {
    let mut length = [0; LENGTH];
    from.read_exact(&mut length)?;
    let mut json = Vec::new();
    from.take(u64::from_be_bytes(length).min(MAX_SETTINGS)).read_to_end(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

/// Bytes that say how long a message is.
const LENGTH: usize = 8;

/// Reports as they come, perhaps in parts.
#[derive(Default)]
pub(super) struct Reports(Vec<u8>);

impl Reports {
    /// Takes what came.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next that is whole.
    ///
    /// # Errors
    /// If what came is no report.
    pub(super) fn next(&mut self) -> io::Result<Option<Report>> {
        let Some(length) = self.0.first_chunk::<LENGTH>() else { return Ok(None) };
        let length = usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_REPORT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Some(json) = self.0.get(LENGTH..LENGTH + length) else { return Ok(None) };
        let report = serde_json::from_slice(json)?;
        self.0.drain(..LENGTH + length);
        Ok(Some(report))
    }
}

/// Receives what [`send`] sent.
///
/// # Errors
/// If the supervisor is gone or sent something else.
pub(super) fn receive(socket: &UnixStream) -> io::Result<(Settings, Vec<OwnedFd>)> {
    let descriptors = fds::receive(socket.as_fd())?;
    Ok((hear(socket)?, descriptors))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Seek as _, Write as _};
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::{Report, Reports, Settings, receive, send, tell};
    use crate::engine::policy::{Carrier, Mode, Policy};
    use crate::proxy::Ca;

    #[test]
    fn settings_and_descriptors_arrive_as_they_were_sent() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let path = std::env::temp_dir().join(format!("agent-handoff-{}", std::process::id()));
        let mut file = File::options().create(true).truncate(true).read(true).write(true).open(&path).unwrap();
        file.write_all(b"through the socket").unwrap();
        std::fs::remove_file(path).unwrap();
        let settings = Settings {
            session: "s".into(),
            policy: Policy { carrier: Carrier::Terminate, ..Policy::new(Mode::Enforce) },
            ca: Ca { cert_pem: "c".repeat(100_000), key_pem: "k".into() },
            upstream_roots: vec![vec![1, 2, 3]],
            client_certificates: Vec::new(),
            resolvers: vec!["192.0.2.53:53".parse().unwrap()],
            capture: None,
            ifindex: 7,
            extras: Vec::new(),
        };
        let sender = std::thread::spawn(move || send(&ours, &settings, &[file.as_fd()]).unwrap());
        let (received, descriptors) = receive(&theirs).unwrap();
        sender.join().unwrap();
        assert_eq!((received.ifindex, received.ca.cert_pem.len()), (7, 100_000));
        let mut file = File::from(descriptors.into_iter().next().unwrap());
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through the socket");
    }

    #[test]
    fn reports_come_whole_however_they_are_cut_and_what_is_none_is_refused() {
        let mut bytes = Vec::new();
        for report in [Report::Ready, Report::Adopted] {
            tell(&mut bytes, &report).unwrap();
        }
        for size in 1..bytes.len() {
            let mut reports = Reports::default();
            let mut heard = Vec::new();
            for piece in bytes.chunks(size) {
                reports.feed(piece);
                while let Some(report) = reports.next().unwrap() {
                    heard.push(report);
                }
            }
            assert_eq!(heard, [Report::Ready, Report::Adopted], "in pieces of {size}");
        }
        for wrong in [&u64::MAX.to_be_bytes()[..], b"\0\0\0\0\0\0\0\x02{}"] {
            let mut reports = Reports::default();
            reports.feed(wrong);
            assert!(reports.next().is_err(), "{wrong:?}");
        }
    }
}
