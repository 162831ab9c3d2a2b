//! Tells a client that refuses our certificate from one that accepts it, by what it does after it was shown it: the way
//! in which the handshake fails, or, where that has succeeded, what is read first. Whether two signs make a proof, and
//! what follows, the engine says.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::alert;
use crate::engine::event::Event;
use crate::engine::pinning::{Client, Sign, remedy};
use crate::proxy::connection::Connection;
use crate::proxy::error::{Error, Side, find};
use crate::proxy::io::write_through;

/// Who hangs up later than this after the handshake had another reason: connections made ahead are closed unused.
const SOON: Duration = Duration::from_secs(1);

/// A connection whose client was, or is about to be, shown our certificate in place of a good one.
pub(crate) struct Witness {
    connection: Arc<Connection>,
    client: Client,
}

impl Witness {
    pub(crate) const fn new(connection: Arc<Connection>, client: Client) -> Self {
        Self { connection, client }
    }

    /// Takes note of a handshake that failed.
    pub(crate) fn failed(&self, error: &Error) {
        if error.side != Side::Downstream {
            return;
        }
        let hung_up = || find::<io::Error>(error).filter(|cause| is_hang_up(cause)).map(|_| Sign::HUNG_UP);
        if let Some(sign) = alert::cause(error).and_then(sign).or_else(hung_up) {
            self.refused(sign);
        }
    }

    /// Takes note of what was first read after the handshake: `read` bytes, or an error.
    fn first(&self, read: Result<usize, &io::Error>, after: Duration) {
        match read {
            Ok(1..) => self.connection.proxy.tls.pinned().accepted(&self.client),
            // It said goodbye: it is satisfied.
            Ok(0) => {}
            Err(error) => {
                let hung_up = || (is_hang_up(error) && after < SOON).then_some(Sign::HUNG_UP);
                if let Some(sign) = alert::inner(error).and_then(sign).or_else(hung_up) {
                    self.refused(sign);
                }
            }
        }
    }

    fn refused(&self, sign: Sign) {
        if self.connection.proxy.tls.pinned().refused(&self.client, sign) {
            self.connection.emit(Event::ClientRefusedCertificate {
                connection: self.connection.id,
                process: self.connection.process.clone(),
                host: self.client.host.clone(),
                how: sign.name(),
                setting: remedy(self.client.program.as_deref()),
            });
        }
    }
}

fn sign(error: &rustls::Error) -> Option<Sign> {
    match error {
        rustls::Error::AlertReceived(alert) => Sign::of_alert(u8::from(*alert)),
        _ => None,
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// A client's stream, of which a witness sees what is read first.
pub(crate) struct Watched<T> {
    inner: T,
    witness: Option<(Witness, Instant)>,
}

impl<T> Watched<T> {
    /// `inner`, whose handshake has just succeeded.
    pub(crate) fn new(inner: T, witness: Option<Witness>) -> Self {
        Self { inner, witness: witness.map(|witness| (witness, Instant::now())) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Poll::Ready(read) = &polled
            && let Some((witness, since)) = self.witness.take()
        {
            witness.first(read.as_ref().map(|()| buf.filled().len() - before), since.elapsed());
        }
        polled
    }
}

write_through!([T: AsyncWrite + Unpin] Watched<T>, inner);
