//! What the supervisor hands to the worker over the worker's standard input: settings as JSON, and descriptors. When
//! the supervisor closes its end for writing, the worker drains and ends.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use serde::{Deserialize, Serialize};

use super::packets::Extra;
use crate::capture;
use crate::engine::policy::Policy;
use crate::proxy::{Ca, ClientCertificate};
use crate::sandbox::fds;

/// More than any settings need; a broken peer must not make the reader allocate without end.
const MAX_SETTINGS: u64 = 16 << 20;

/// What the worker says when it has given up its privileges: only then is it given anything.
pub(super) const CONFINED: u8 = 1;
/// What it says when it serves.
pub(super) const READY: u8 = 2;

/// The worker's settings.
#[derive(Serialize, Deserialize)]
pub(super) struct Settings {
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
    let json = serde_json::to_vec(settings)?;
    let length = u64::try_from(json.len()).map_err(io::Error::other)?;
    fds::send(socket.as_fd(), descriptors)?;
    socket.write_all(&length.to_be_bytes())?;
    socket.write_all(&json)
}

/// Receives what [`send`] sent.
///
/// # Errors
/// If the supervisor is gone or sent something else.
pub(super) fn receive(mut socket: &UnixStream) -> io::Result<(Settings, Vec<OwnedFd>)> {
    let descriptors = fds::receive(socket.as_fd())?;
    let mut length = [0; 8];
    socket.read_exact(&mut length)?;
    let mut json = Vec::new();
    socket.take(u64::from_be_bytes(length).min(MAX_SETTINGS)).read_to_end(&mut json)?;
    Ok((serde_json::from_slice(&json)?, descriptors))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Seek as _, Write as _};
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::{Settings, receive, send};
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
}
