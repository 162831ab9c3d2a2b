//! One exchange on one stream of either side: both bodies at once, room as it is made, resets with their codes.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::time::timeout;

use super::upstream::Upstream;
use crate::engine::http::exchange::{Direction, Exchange, Half};
use crate::engine::http::reply::UNWANTED;
use crate::engine::http::{Field, Reply, RequestHead};
use crate::engine::policy::{Permit, Verdict};
use crate::proxy::connection::Connection;
use crate::proxy::error::{Error, Side};

/// How long what is sent of a request that was answered may take.
const LINGER: Duration = Duration::from_secs(2);

/// A stream that one side broke off.
struct Cut {
    side: Side,
    reason: Reason,
    text: String,
}

impl Cut {
    fn new(side: Side, error: &h2::Error) -> Self {
        let text = format!("{}: {error}", side.name());
        Self { side, reason: error.reason().unwrap_or(Reason::INTERNAL_ERROR), text }
    }

    fn reset(side: Side, reason: Reason) -> Self {
        Self { side, reason, text: format!("{} reset the stream: {reason:?}", side.name()) }
    }
}

/// Reports an exchange's end when it is dropped.
struct Followed {
    connection: Arc<Connection>,
    exchange: Exchange,
}

impl Drop for Followed {
    fn drop(&mut self) {
        if let Some(finished) = self.exchange.finish() {
            self.connection.emit(finished);
        }
    }
}

/// Carries one exchange to its end.
pub(super) async fn carry(upstream: Arc<Upstream>, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let connection = &upstream.route.connection;
    let _entered = connection.exchanges.enter();
    let mut head = RequestHead::of(&request, &upstream.route.origin());
    if let Some(protocol) = request.extensions().get::<Protocol>() {
        head.tunnel = Some(protocol.as_str().to_owned());
    }
    let (exchange, verdict) = connection.begin_exchange(&head, |event| connection.emit(event));
    let mut followed = Followed { connection: Arc::clone(connection), exchange };
    let refused = match verdict {
        Verdict::Refuse(reply) => Some(reply),
        Verdict::Forward(permit) => match open(&upstream, permit).await {
            Ok(sender) => return forward(connection, sender, request, respond, &mut followed.exchange).await,
            Err(error) => {
                followed.exchange.fail(error.chain());
                Some(Reply::unreachable(&error.to_string(), error.is_late()))
            }
        },
    };
    if let Some(reply) = refused {
        followed.exchange.reply(&reply, &reply.body);
        drop(followed);
        answer(reply, &mut respond);
        take_unwanted(request.into_body()).await;
    }
}

async fn open(upstream: &Upstream, permit: Permit) -> Result<SendRequest<Bytes>, Error> {
    upstream.sender(permit).await
}

/// Takes what the child still sends of a request that was answered, for a while: some take a reset for a failure,
/// whatever they were told before.
async fn take_unwanted(mut body: RecvStream) {
    let taken = async {
        let mut left = UNWANTED;
        while let Some(Ok(bytes)) = body.data().await {
            if bytes.len() > left || body.flow_control().release_capacity(bytes.len()).is_err() {
                break;
            }
            left -= bytes.len();
        }
    };
    if timeout(LINGER, taken).await.is_err() {
        tracing::debug!("a child neither ended nor broke off a request that was answered");
    }
}

/// Answers in the server's place.
fn answer(reply: Reply, respond: &mut SendResponse<Bytes>) {
    let fields = reply.head();
    let head = Response::builder().status(reply.status);
    let head = fields.iter().fold(head, |head, field| head.header(&field.name[..], &field.value[..])).body(());
    // The end of gRPC's answers without messages is that of their head.
    let is_empty = reply.body.is_empty();
    let sent = head.map_err(|error| error.to_string()).and_then(|head| {
        let mut body = respond.send_response(head, is_empty).map_err(|error| error.to_string())?;
        if is_empty { Ok(()) } else { body.send_data(reply.body, true).map_err(|error| error.to_string()) }
    });
    if let Err(error) = sent {
        tracing::debug!(%error, "a child was not told why its request was refused");
    }
}

async fn forward(
    connection: &Connection,
    mut sender: SendRequest<Bytes>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    exchange: &mut Exchange,
) {
    let (head, mut body) = request.into_parts();
    let (mut sent, mut received) = (exchange.half(Direction::Request), exchange.half(Direction::Response));
    let ends = body.is_end_stream();
    let (response, mut upload) = match sender.send_request(Request::from_parts(head, ()), ends) {
        Ok(streams) => streams,
        Err(error) => {
            exchange.fail(Cut::new(Side::Upstream, &error).text);
            return respond.send_reset(error.reason().unwrap_or(Reason::INTERNAL_ERROR));
        }
    };
    let cut = {
        let sending = async {
            if ends { Ok(()) } else { copy(connection, &mut body, &mut upload, Direction::Request, &mut sent).await }
        };
        let receiving = receive(connection, response, &mut respond, &mut received, exchange);
        both(sending, receiving).await
    };
    match &cut {
        Some(Cut { side: Side::Downstream, reason, .. }) => upload.send_reset(*reason),
        // With these codes h2 resets by itself what is let go of, behind what is still to be written; a reset of ours
        // would take the place of that.
        Some(Cut { reason: Reason::NO_ERROR | Reason::CANCEL, .. }) | None => {}
        Some(Cut { reason, .. }) => respond.send_reset(*reason),
    }
    if ends || cut.is_none() {
        sent.end();
    }
    // A server that has answered may say that it wants no more of the request (RFC 9113 section 8.1).
    if let Some(cut) = cut.filter(|cut| cut.reason != Reason::NO_ERROR) {
        exchange.fail(cut.text);
    }
    exchange.settle(Direction::Request, sent);
    exchange.settle(Direction::Response, received);
}

/// Runs both directions. A request that the server no longer takes does not end the response; all other breaks end both.
async fn both(
    sending: impl Future<Output = Result<(), Cut>>,
    receiving: impl Future<Output = Result<(), Cut>>,
) -> Option<Cut> {
    let (mut sending, mut receiving) = (pin!(sending), pin!(receiving));
    let mut sent = None;
    let received = loop {
        tokio::select! {
            done = sending.as_mut(), if sent.is_none() => match done {
                Err(cut) if cut.side == Side::Downstream => return Some(cut),
                done => sent = Some(done),
            },
            done = receiving.as_mut() => break done,
        }
    };
    match (received, sent) {
        (Err(cut), _) => Some(cut),
        (Ok(()), Some(sent)) => sent.err(),
        (Ok(()), None) => sending.await.err(),
    }
}

/// Passes the response on: what announces it, its head, its body.
async fn receive(
    connection: &Connection,
    mut response: ResponseFuture,
    respond: &mut SendResponse<Bytes>,
    half: &mut Half,
    exchange: &mut Exchange,
) -> Result<(), Cut> {
    let head = loop {
        let informational = poll_fn(|cx| response.poll_informational(cx));
        tokio::select! {
            biased;
            reset = poll_fn(|cx| respond.poll_reset(cx)) => return Err(left(reset)),
            told = informational => match told {
                Some(Ok(head)) => {
                    exchange.answer(head.status().as_u16(), &Field::all(head.headers()));
                    respond.send_informational(head).map_err(|error| Cut::new(Side::Downstream, &error))?;
                }
                Some(Err(error)) => return Err(Cut::new(Side::Upstream, &error)),
                None => break wait(&mut response, respond).await?,
            },
        }
    };
    let (head, mut body) = head.into_parts();
    exchange.answer(head.status.as_u16(), &Field::all(&head.headers));
    let ends = body.is_end_stream();
    let sent = respond.send_response(Response::from_parts(head, ()), ends);
    let mut download = sent.map_err(|error| Cut::new(Side::Downstream, &error))?;
    if ends {
        half.end();
        return Ok(());
    }
    copy(connection, &mut body, &mut download, Direction::Response, half).await
}

async fn wait(response: &mut ResponseFuture, respond: &mut SendResponse<Bytes>) -> Result<Response<RecvStream>, Cut> {
    tokio::select! {
        biased;
        reset = poll_fn(|cx| respond.poll_reset(cx)) => Err(left(reset)),
        head = response => head.map_err(|error| Cut::new(Side::Upstream, &error)),
    }
}

fn left(reset: Result<Reason, h2::Error>) -> Cut {
    match reset {
        Ok(reason) => Cut::reset(Side::Downstream, reason),
        Err(error) => Cut::new(Side::Downstream, &error),
    }
}

/// Passes a body and its trailers on. Room is given back to the sender only as the receiver makes it.
async fn copy(
    connection: &Connection,
    from: &mut RecvStream,
    to: &mut SendStream<Bytes>,
    direction: Direction,
    half: &mut Half,
) -> Result<(), Cut> {
    let (sender, receiver) = match direction {
        Direction::Request => (Side::Downstream, Side::Upstream),
        Direction::Response => (Side::Upstream, Side::Downstream),
    };
    loop {
        poll_fn(|cx| connection.poll_room(cx)).await;
        let data = tokio::select! {
            biased;
            reset = poll_fn(|cx| to.poll_reset(cx)) => return Err(match reset {
                Ok(reason) => Cut::reset(receiver, reason),
                Err(error) => Cut::new(receiver, &error),
            }),
            data = from.data() => data,
        };
        match data {
            Some(Ok(data)) => pass(data, from, to, half).await.map_err(|error| Cut::new(receiver, &error))?,
            // The whole response precedes it (RFC 9113 section 8.1); h2 forgets that the stream had ended.
            Some(Err(error)) if is_over(direction, &error) => break,
            Some(Err(error)) => return Err(Cut::new(sender, &error)),
            None => break,
        }
    }
    let trailers = match from.trailers().await {
        Err(error) if is_over(direction, &error) => None,
        trailers => trailers.map_err(|error| Cut::new(sender, &error))?,
    };
    end(trailers, to, half).map_err(|error| Cut::new(receiver, &error))
}

/// Whether a server has answered and wants no more of the request.
fn is_over(direction: Direction, error: &h2::Error) -> bool {
    direction == Direction::Response && error.is_reset() && error.reason() == Some(Reason::NO_ERROR)
}

async fn pass(
    mut data: Bytes,
    from: &mut RecvStream,
    to: &mut SendStream<Bytes>,
    half: &mut Half,
) -> Result<(), h2::Error> {
    while !data.is_empty() {
        to.reserve_capacity(data.len());
        let Some(room) = poll_fn(|cx| to.poll_capacity(cx)).await.transpose()? else {
            return Err(Reason::STREAM_CLOSED.into());
        };
        let piece = data.split_to(room.min(data.len()));
        if let Err(error) = half.data(&piece) {
            half.fail(error.to_string());
        }
        let length = piece.len();
        to.send_data(piece, false)?;
        from.flow_control().release_capacity(length)?;
    }
    Ok(())
}

fn end(trailers: Option<HeaderMap>, to: &mut SendStream<Bytes>, half: &mut Half) -> Result<(), h2::Error> {
    match trailers {
        Some(trailers) => {
            if let Err(error) = half.trailers(&Field::all(&trailers)) {
                half.fail(error.to_string());
            }
            to.send_trailers(trailers)?;
        }
        None => to.send_data(Bytes::new(), true)?,
    }
    half.end();
    Ok(())
}
