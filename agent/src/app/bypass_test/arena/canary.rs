//! Servers that note whatever they hear, and say that they heard it: outside, and on the host.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, Protocol, Socket, Type};

use super::DOMAIN;

/// How long a server waits for a client to say something: longer than clients wait for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than any attempt says.
const MOST: usize = 16 << 10;

/// Something that a server heard.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Which server.
    pub(crate) at: String,
    /// What, without the encryption around it.
    pub(crate) bytes: Vec<u8>,
}

/// What servers have heard.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<Heard>>);

impl Log {
    pub(super) fn note(&self, at: String, bytes: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Heard { at, bytes });
    }

    /// What bears the text, or was heard at one of the addresses.
    pub(crate) fn of(&self, text: &str, addresses: &[String]) -> Vec<Heard> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_meant = |heard: &&Heard| {
            contains(&heard.bytes, text.as_bytes()) || addresses.iter().any(|address| heard.at.contains(address))
        };
        all.iter().filter(is_meant).cloned().collect()
    }

    /// How much has been heard so far.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What has been heard since there were so many.
    pub(crate) fn since(&self, count: usize) -> Vec<Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().skip(count).cloned().collect()
    }
}

/// Whether `bytes` has `part` in it.
pub(super) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}

/// An authority in PEM, and what its servers show.
pub(super) fn identity() -> anyhow::Result<(String, Arc<ServerConfig>)> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = vec![DOMAIN.to_owned(), format!("*.{DOMAIN}")];
    let leaf = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((authority.pem(), Arc::new(config)))
}

/// Listens on a port of every address of the calling thread's namespace, for TLS and plain text.
pub(super) fn serve(port: u16, log: &Arc<Log>, tls: &Arc<ServerConfig>) -> anyhow::Result<()> {
    let tls = Arc::clone(tls);
    accept(port, log, move |stream, at, log| {
        let mut first = [0];
        // A TLS record of a handshake begins so (RFC 8446 section 5.1).
        if stream.peek(&mut first).is_ok_and(|length| length == 1) && first == [0x16] {
            let Ok(connection) = ServerConnection::new(Arc::clone(&tls)) else { return };
            answer(StreamOwned::new(connection, stream), &at, log);
        } else {
            answer(stream, &at, log);
        }
    })
}

/// The same for plain text alone; that somebody connected is noted as well.
pub(super) fn listen(port: u16, log: &Arc<Log>) -> anyhow::Result<()> {
    accept(port, log, |stream, at, log| {
        log.note(at.clone(), Vec::new());
        answer(stream, &at, log);
    })
}

/// Notes who connects to a socket that is no network's.
pub(super) fn listen_unix(listener: UnixListener, log: &Arc<Log>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        while let Ok((_, _)) = listener.accept() {
            log.note(format!("unix {:?}", listener.local_addr()), Vec::new());
        }
    });
}

fn accept(
    port: u16,
    log: &Arc<Log>,
    handle: impl Fn(TcpStream, String, &Log) + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_only_v6(false)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(128)?;
    let (listener, log, handle) = (std::net::TcpListener::from(socket), Arc::clone(log), Arc::new(handle));
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let (log, handle) = (Arc::clone(&log), Arc::clone(&handle));
            std::thread::spawn(move || {
                let at = stream.local_addr().map(|at| format!("tcp {}", canonical(at))).unwrap_or_default();
                if stream.set_read_timeout(Some(PATIENCE)).is_ok() {
                    handle(stream, at, &log);
                }
            });
        }
    });
    Ok(())
}

/// Notes all that comes until the end of a head or a line, and answers as to HTTP; once more after an upgrade, to which
/// it agrees, and in HTTP/2.
fn answer(mut stream: impl Read + Write, at: &str, log: &Log) {
    let said = hear(&mut stream, at, log);
    let answer: &[u8] = match () {
        // SETTINGS, and GOAWAY that names no stream and no error (RFC 9113 sections 6.5 and 6.8).
        () if said.starts_with(b"PRI") => b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0",
        () if contains(&said, b"\r\nUpgrade: foo\r\n") => {
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n"
        }
        () => b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\ncanary\n",
    };
    if stream.write_all(answer).and_then(|()| stream.flush()).is_err() {
        tracing::debug!("a client of the canary is gone");
    } else if !answer.starts_with(b"HTTP/1.1 200") {
        hear(&mut stream, at, log);
    }
}

fn hear(stream: &mut impl Read, at: &str, log: &Log) -> Vec<u8> {
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    while said.len() < MOST && !said.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => said.extend_from_slice(&buffer[..length]),
            Ok(0) | Err(_) => break,
        }
        if said.first() == Some(&1) && said.ends_with(b"\n") || said.starts_with(b"PRI") {
            break;
        }
    }
    log.note(at.to_owned(), said.clone());
    said
}

/// Notes datagrams to a port of every address of the calling thread's namespace.
pub(super) fn receive(port: u16, log: &Arc<Log>) -> anyhow::Result<()> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))?;
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            log.note(format!("udp port {port} from {}", canonical(from)), buffer[..length].to_vec());
        }
    });
    Ok(())
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
