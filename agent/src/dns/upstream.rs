//! Asks the resolvers, one after the other, over UDP and over TCP where UDP is too small. What is not the response to
//! the query, from the one who was asked, is not there (RFC 5452).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustls::crypto::SecureRandom;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::Config;
use crate::engine::policy::query::QueryPermit;
use crate::engine::wire::dns::{Message, Rcode};

/// The largest response over UDP that is read; resolvers were told to send less.
const LARGEST: usize = 4096;

/// The resolvers, and what it takes to ask them.
pub(super) struct Upstream {
    config: Config,
    random: &'static dyn SecureRandom,
}

impl Upstream {
    pub(super) fn new(config: Config) -> Self {
        Self { config, random: rustls::crypto::aws_lc_rs::default_provider().secure_random }
    }

    /// The first useful response to what `permit` lets pass; if no resolver has one, one that says why; `None` if there
    /// is not even that.
    pub(super) async fn resolve(&self, permit: &QueryPermit<'_>) -> Option<Vec<u8>> {
        let mut useless = None;
        for _ in 0..self.config.attempts {
            for resolver in &self.config.resolvers {
                match self.ask(permit, *resolver).await {
                    Ok((response, rcode)) if is_useful(rcode) => return Some(response),
                    Ok((response, _)) => useless = Some(response),
                    Err(error) => tracing::debug!(%resolver, %error, "no DNS response"),
                }
            }
            if useless.is_some() {
                return useless;
            }
        }
        None
    }

    async fn ask(&self, permit: &QueryPermit<'_>, resolver: SocketAddr) -> io::Result<(Vec<u8>, Rcode)> {
        let query = permit.forwarded(self.random_id()?);
        let limit = self.config.timeout;
        let response = timeout(limit, over_udp(&query, resolver)).await??;
        match check(&query, &response) {
            Some(Checked { truncated: true, .. }) => {
                let response = timeout(limit, over_tcp(&query, resolver)).await??;
                let checked = check(&query, &response).ok_or(io::ErrorKind::InvalidData)?;
                Ok((response, checked.rcode))
            }
            Some(checked) => Ok((response, checked.rcode)),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// A fresh number for each try, which nobody off the path can guess.
    fn random_id(&self) -> io::Result<u16> {
        let mut id = [0; 2];
        self.random.fill(&mut id).map_err(|error| io::Error::other(format!("no random number: {error:?}")))?;
        Ok(u16::from_be_bytes(id))
    }
}

/// What is known of a response that belongs to the query.
struct Checked {
    rcode: Rcode,
    truncated: bool,
}

/// `None` if `response` is not the response to `query`.
fn check(query: &[u8], response: &[u8]) -> Option<Checked> {
    let (query, response) = (Message::parse(query).ok()?, Message::parse(response).ok()?);
    let checked = Checked { rcode: response.rcode(), truncated: response.is_truncated() };
    response.answers(&query).then_some(checked)
}

/// Whether another resolver need not be asked: those that fail or refuse may not be the only ones.
fn is_useful(rcode: Rcode) -> bool {
    !matches!(rcode, Rcode::SERVFAIL | Rcode::NOTIMP | Rcode::REFUSED)
}

/// Sends `query` from a port of its own, and waits for its response, whatever else arrives.
async fn over_udp(query: &[u8], resolver: SocketAddr) -> io::Result<Vec<u8>> {
    let any = if resolver.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    // Connected, so that the kernel drops what others send.
    socket.connect(resolver).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; LARGEST];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if check(query, &buffer[..length]).is_some() {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn over_tcp(query: &[u8], resolver: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(resolver).await?;
    write_frame(&mut stream, query).await?;
    read_frame(&mut stream).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Reads one message and its length (RFC 1035, section 4.2.2); `None` at the end of the stream.
pub(super) async fn read_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let length = match stream.read_u16().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}

/// Writes one message behind its length, in one segment where it fits (RFC 7766, section 8).
pub(super) async fn write_frame(stream: &mut (impl AsyncWriteExt + Unpin), message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await
}
