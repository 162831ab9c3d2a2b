//! The terminating carrier: HTTP ends here and begins anew on the other side, with hyper for HTTP/1 and with h2, where
//! hyper hides what must be carried (informational responses, the codes of resets, extended CONNECT, room as it is
//! made), for HTTP/2. Limits are set here.

mod admission;
mod editing;
mod http1;
mod http2;
mod route;
mod servers;

use std::time::Duration;

pub(crate) use self::http1::Open;
pub(crate) use self::route::Route;
use super::Protocol;
use crate::proxy::error::Error;
use crate::proxy::io::BoxedIo;

/// HTTP/2 streams of one connection at once.
const MAX_STREAMS: usize = 256;
/// Bytes of one HTTP/2 stream on their way: what keeps 1 Gbit/s busy over 1.5 ms.
const STREAM_WINDOW: u32 = 192 << 10;
/// Bytes of one HTTP/2 connection on their way.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// How long the next bytes of a request that is answered here may take.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes of one HTTP/2 stream that wait to be written.
const SEND_BUFFER: usize = 32 * 1024;

/// Carries the exchanges of `io` along `route` until either ends or the session drains.
pub(crate) async fn serve(io: BoxedIo, protocol: Protocol, route: Route) -> Result<(), Error> {
    match protocol {
        Protocol::Http1 => http1::serve(io, route).await,
        Protocol::Http2 => http2::serve(io, route).await,
    }
}
