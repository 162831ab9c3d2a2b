//! One exchange on one stream of either side: both bodies at once, room as it is made, resets with their codes.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::time::{sleep, timeout};

use super::super::LINGER;
use super::super::admission::{Limited, Settled, settle};
use super::super::editing::{Editing, Shaped, Stop};
use super::upstream::Upstream;
use crate::engine::edit::{Failed, Transform};
use crate::engine::http::exchange::{Direction, Exchange, Half};
use crate::engine::http::reply::{Piece, UNWANTED};
use crate::engine::http::{Field, Reply, RequestHead};
use crate::engine::policy::Permit;
use crate::proxy::connection::Connection;
use crate::proxy::error::{Error, Side};

type BoxError = Box<dyn StdError + Send + Sync>;

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

/// What rules want of an exchange that goes on.
struct Terms {
    editing: Option<Editing>,
    limited: Option<Limited>,
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
    let (exchange, mut judged) = connection.begin_exchange(&head, |event| connection.emit(event));
    let mut followed = Followed { connection: Arc::clone(connection), exchange };
    let exchange = &mut followed.exchange;
    let settling = settle(connection, exchange.id(), &head, &mut judged);
    let (settled, limited) = tokio::select! {
        biased;
        // Whoever waited no longer does.
        reset = poll_fn(|cx| respond.poll_reset(cx)) => return exchange.fail(left(reset).text),
        settled = settling => settled,
    };
    let editing = judged.works.then(|| Editing::new(connection, exchange.id(), &judged.policy, head));
    let terms = Terms { editing, limited };
    let (reply, most) = match settled {
        Settled::Refuse(reply) => (reply, UNWANTED),
        Settled::Mock(reply) => (reply, usize::MAX),
        Settled::Forward(permit) => match open(&upstream, permit).await {
            Ok(sender) => return forward(connection, sender, request, respond, exchange, &terms).await,
            Err(error) => {
                exchange.fail(error.chain());
                (Reply::unreachable(&error.to_string(), error.is_late()), UNWANTED)
            }
        },
    };
    let is_head = request.method() == Method::HEAD;
    answer_instead(connection, (reply, most), is_head, request.into_body(), respond, exchange).await;
}

/// Answers in the server's place, and takes as much of the request as is to be taken.
async fn answer_instead(
    connection: &Connection,
    (reply, most): (Reply, usize),
    is_head: bool,
    body: RecvStream,
    mut respond: SendResponse<Bytes>,
    exchange: &mut Exchange,
) {
    let mut sent = exchange.half(Direction::Request);
    if most > UNWANTED {
        // As a server would: clients take an answer before they have sent all for a failure.
        take(connection, body, most, &mut sent).await;
        answer(connection, reply, is_head, &mut respond, exchange).await;
    } else {
        let answering = answer(connection, reply, is_head, &mut respond, exchange);
        tokio::join!(answering, take(connection, body, most, &mut sent));
    }
    exchange.settle(Direction::Request, sent);
}

async fn open(upstream: &Upstream, permit: Permit) -> Result<SendRequest<Bytes>, Error> {
    upstream.sender(permit).await
}

/// Takes what the child still sends of a request that was answered, as much as that at most and while it goes on: some
/// take a reset for a failure, whatever they were told before.
async fn take(connection: &Connection, mut body: RecvStream, most: usize, half: &mut Half) {
    let mut left = most;
    loop {
        poll_fn(|cx| connection.poll_room(cx)).await;
        match timeout(LINGER, body.data()).await {
            Ok(Some(Ok(bytes))) if bytes.len() <= left => {
                left -= bytes.len();
                if half.data(&bytes).is_err() || body.flow_control().release_capacity(bytes.len()).is_err() {
                    return;
                }
            }
            Ok(None) => return half.end(),
            Ok(Some(_)) | Err(_) => return,
        }
    }
}

/// Answers in the server's place, each part of the body when it is time.
async fn answer(
    connection: &Connection,
    reply: Reply,
    is_head: bool,
    respond: &mut SendResponse<Bytes>,
    exchange: &mut Exchange,
) {
    let fields = reply.head();
    exchange.answer(reply.status.as_u16(), &fields);
    let mut half = exchange.half(Direction::Response);
    if let Err(error) = give(connection, reply, is_head, respond, &mut half).await {
        half.fail(error.to_string());
        tracing::debug!(%error, "a child was not answered");
    }
    exchange.settle(Direction::Response, half);
}

async fn give(
    connection: &Connection,
    reply: Reply,
    is_head: bool,
    respond: &mut SendResponse<Bytes>,
    half: &mut Half,
) -> Result<(), BoxError> {
    let head = Response::builder().status(reply.status);
    let head = reply.head().iter().fold(head, |head, field| head.header(&field.name[..], &field.value[..])).body(())?;
    let trailers: Option<HeaderMap> = (!reply.trailers.is_empty()).then(|| Field::map(&reply.trailers));
    let mut parts = reply.parts().peekable();
    // The end of gRPC's answers without messages is that of their head.
    let is_empty = is_head || (parts.peek().is_none() && trailers.is_none());
    let mut body = respond.send_response(head, is_empty)?;
    if !is_empty {
        for Piece { after, bytes } in parts {
            sleep(after).await;
            poll_fn(|cx| connection.poll_room(cx)).await;
            send(bytes, &mut body, half).await?;
        }
        return Ok(end(trailers, &mut body, half)?);
    }
    half.end();
    Ok(())
}

/// What a child is told whose exchange does not go on.
fn stopped(exchange: &mut Exchange, stop: Stop<Unfit>) -> Reply {
    let error = match stop {
        Stop::Reply(reply) => return reply,
        Stop::Failed(error) | Stop::Lost(Unfit::Failed(error)) => error.to_string(),
        Stop::Lost(Unfit::Cut(cut)) => cut.text,
    };
    let why = format!("a rule of this session could not be followed: {error}");
    exchange.fail(why.clone());
    Reply::text(StatusCode::BAD_GATEWAY, &why)
}

async fn forward(
    connection: &Connection,
    mut sender: SendRequest<Bytes>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    exchange: &mut Exchange,
    terms: &Terms,
) {
    let (mut head, mut body) = request.into_parts();
    let (mut sent, mut received) = (exchange.half(Direction::Request), exchange.half(Direction::Response));
    let mut ends = body.is_end_stream();
    let is_head = head.method == Method::HEAD;
    let mut trailers = None;
    let gather = async |transform| {
        let (whole, found) =
            gather((connection, terms), &mut body, Direction::Request, transform, Some(&mut sent)).await?;
        trailers = found;
        Ok(whole)
    };
    let shaped = match &terms.editing {
        Some(editing) => editing.request(&mut head, !ends, gather).await,
        None => Ok(Shaped::Stream(None)),
    };
    let (transform, whole) = match shaped {
        Ok(Shaped::Stream(transform)) => (transform.map(|transform| *transform), None),
        Ok(Shaped::Whole(whole)) => {
            ends = whole.is_empty() && trailers.is_none();
            (None, Some((whole, trailers)))
        }
        Err(Stop::Lost(Unfit::Cut(cut))) => {
            exchange.fail(cut.text);
            return respond.send_reset(cut.reason);
        }
        Err(stop) => {
            let reply = stopped(exchange, stop);
            return answer_instead(connection, (reply, UNWANTED), is_head, body, respond, exchange).await;
        }
    };
    let (response, mut upload) = match sender.send_request(Request::from_parts(head, ()), ends) {
        Ok(streams) => streams,
        Err(error) => {
            exchange.fail(Cut::new(Side::Upstream, &error).text);
            return respond.send_reset(error.reason().unwrap_or(Reason::INTERNAL_ERROR));
        }
    };
    let cut = {
        let sending = async {
            match whole {
                _ if ends => Ok(()),
                Some((changed, trailers)) => {
                    give_whole(changed, trailers, &mut upload).await.map_err(|error| Cut::new(Side::Upstream, &error))
                }
                None => copy((connection, terms), &mut body, &mut upload, &mut sent, transform).await,
            }
        };
        let receiving = receive((connection, terms), response, &mut respond, &mut received, exchange);
        both(sending, receiving).await
    };
    match &cut {
        Some(Cut { side: Side::Downstream, reason, .. }) => upload.send_reset(*reason),
        // Ours: neither side has reset it.
        Some(Cut { side: Side::Internal, reason, .. }) => {
            upload.send_reset(*reason);
            respond.send_reset(*reason);
        }
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

/// Why all of a body could not be had as rules want it.
enum Unfit {
    Cut(Cut),
    Failed(Failed),
}

/// All of a body, as rules change it, and its trailers; noted as it came, if it is to be.
async fn gather(
    (connection, terms): (&Connection, &Terms),
    from: &mut RecvStream,
    direction: Direction,
    mut transform: Transform,
    mut half: Option<&mut Half>,
) -> Result<(Bytes, Option<HeaderMap>), Unfit> {
    let sender = match direction {
        Direction::Request => Side::Downstream,
        Direction::Response => Side::Upstream,
    };
    let cut = |error: &h2::Error| Unfit::Cut(Cut::new(sender, error));
    let mut changed = Vec::new();
    loop {
        poll_fn(|cx| connection.poll_room(cx)).await;
        let data = match from.data().await {
            Some(Ok(data)) => data,
            Some(Err(error)) if !is_over(direction, &error) => return Err(cut(&error)),
            Some(Err(_)) | None => break,
        };
        from.flow_control().release_capacity(data.len()).map_err(|error| cut(&error))?;
        pace(terms, direction, data.len()).await.map_err(Unfit::Cut)?;
        if let Some(half) = &mut half {
            note(half, &data);
        }
        transform.push(&data, &mut changed).map_err(Unfit::Failed)?;
    }
    let trailers = match from.trailers().await {
        Err(error) if !is_over(direction, &error) => return Err(cut(&error)),
        trailers => trailers.ok().flatten(),
    };
    transform.end(&mut changed).map_err(Unfit::Failed)?;
    let trailers = trailers.map(|trailers| {
        let mut fields = Field::all(&trailers);
        transform.mend(&mut fields);
        Field::map(&fields)
    });
    Ok((changed.into(), trailers))
}

/// Sends all of a body, noted before.
async fn give_whole(body: Bytes, trailers: Option<HeaderMap>, to: &mut SendStream<Bytes>) -> Result<(), h2::Error> {
    give_changed(body, to).await?;
    match trailers {
        Some(trailers) => to.send_trailers(trailers),
        None => to.send_data(Bytes::new(), true),
    }
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
                Err(cut) if cut.side != Side::Upstream => return Some(cut),
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
    (connection, terms): (&Connection, &Terms),
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
    let (mut head, mut body) = head.into_parts();
    let ends = body.is_end_stream();
    let mut trailers = None;
    let gather = async |transform| {
        let (whole, found) = gather((connection, terms), &mut body, Direction::Response, transform, None).await?;
        trailers = found;
        Ok(whole)
    };
    let shaped = match &terms.editing {
        Some(editing) => editing.response(&mut head, !ends, gather).await,
        None => Ok(Shaped::Stream(None)),
    };
    let (transform, whole) = match shaped {
        Ok(Shaped::Stream(transform)) => (transform.map(|transform| *transform), None),
        Ok(Shaped::Whole(whole)) => (None, Some((whole, trailers))),
        Err(Stop::Lost(Unfit::Cut(cut))) => return Err(cut),
        Err(stop) => {
            let reply = stopped(exchange, stop);
            exchange.answer(reply.status.as_u16(), &reply.head());
            let given = give(connection, reply, false, respond, half).await;
            let text = |error: BoxError| error.to_string();
            let (side, reason) = (Side::Downstream, Reason::INTERNAL_ERROR);
            return given.map_err(|error| Cut { side, reason, text: text(error) });
        }
    };
    let ends = ends && whole.is_none();
    exchange.answer(head.status.as_u16(), &Field::all(&head.headers));
    let sent = respond.send_response(Response::from_parts(head, ()), ends);
    let mut download = sent.map_err(|error| Cut::new(Side::Downstream, &error))?;
    if ends {
        half.end();
        return Ok(());
    }
    let Some((changed, trailers)) = whole else {
        return copy((connection, terms), &mut body, &mut download, half, transform).await;
    };
    let given = async {
        send(changed, &mut download, half).await?;
        end(trailers, &mut download, half)
    };
    given.await.map_err(|error| Cut::new(Side::Downstream, &error))
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
    (connection, terms): (&Connection, &Terms),
    from: &mut RecvStream,
    to: &mut SendStream<Bytes>,
    half: &mut Half,
    mut transform: Option<Transform>,
) -> Result<(), Cut> {
    let direction = half.direction();
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
        if let Some(Ok(data)) = &data {
            pace(terms, direction, data.len()).await?;
        }
        match data {
            Some(Ok(data)) => match &mut transform {
                None => pass(data, from, to, half).await.map_err(|error| Cut::new(receiver, &error))?,
                Some(transform) => {
                    let length = data.len();
                    let changed = change(transform, direction, &data, half)?;
                    give_changed(changed, to).await.map_err(|error| Cut::new(receiver, &error))?;
                    let released = from.flow_control().release_capacity(length);
                    released.map_err(|error| Cut::new(sender, &error))?;
                }
            },
            // The whole response precedes it (RFC 9113 section 8.1); h2 forgets that the stream had ended.
            Some(Err(error)) if is_over(direction, &error) => break,
            Some(Err(error)) => return Err(Cut::new(sender, &error)),
            None => break,
        }
    }
    if let Some(transform) = &mut transform {
        let changed = change(transform, direction, &[], half)?;
        give_changed(changed, to).await.map_err(|error| Cut::new(receiver, &error))?;
    }
    let trailers = match from.trailers().await {
        Err(error) if is_over(direction, &error) => None,
        trailers => trailers.map_err(|error| Cut::new(sender, &error))?,
    };
    end(trailers, to, half).map_err(|error| Cut::new(receiver, &error))
}

/// Waits as long as limits want it when so many bytes have come.
async fn pace(terms: &Terms, direction: Direction, bytes: usize) -> Result<(), Cut> {
    let Some(limited) = &terms.limited else { return Ok(()) };
    let wait = limited.pace(direction, bytes).map_err(|error| Cut {
        side: Side::Internal,
        reason: Reason::CANCEL,
        text: error.to_string(),
    })?;
    sleep(wait).await;
    Ok(())
}

/// What comes of the next bytes, or of the end where there are none; noted is what the child says and is told.
fn change(transform: &mut Transform, direction: Direction, data: &[u8], half: &mut Half) -> Result<Bytes, Cut> {
    let mut changed = Vec::new();
    let done = if data.is_empty() { transform.end(&mut changed) } else { transform.push(data, &mut changed) };
    done.map_err(|error| Cut {
        side: Side::Internal,
        reason: Reason::INTERNAL_ERROR,
        text: format!("a rule could not be followed: {error}"),
    })?;
    note(half, if direction == Direction::Request { data } else { &changed });
    Ok(changed.into())
}

/// Sends what was noted before.
async fn give_changed(mut changed: Bytes, to: &mut SendStream<Bytes>) -> Result<(), h2::Error> {
    while !changed.is_empty() {
        let piece = changed.split_to(room(changed.len(), to).await?);
        to.send_data(piece, false)?;
    }
    Ok(())
}

fn note(half: &mut Half, data: &[u8]) {
    if let Err(error) = half.data(data) {
        half.fail(error.to_string());
    }
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
        let piece = data.split_to(room(data.len(), to).await?);
        let length = piece.len();
        write(piece, to, half)?;
        from.flow_control().release_capacity(length)?;
    }
    Ok(())
}

/// Sends what is ours, as the receiver makes room.
async fn send(mut data: Bytes, to: &mut SendStream<Bytes>, half: &mut Half) -> Result<(), h2::Error> {
    while !data.is_empty() {
        let piece = data.split_to(room(data.len(), to).await?);
        write(piece, to, half)?;
    }
    Ok(())
}

/// How many of `wanted` bytes there is room for: one at least.
async fn room(wanted: usize, to: &mut SendStream<Bytes>) -> Result<usize, h2::Error> {
    to.reserve_capacity(wanted);
    match poll_fn(|cx| to.poll_capacity(cx)).await.transpose()? {
        Some(room) => Ok(room.min(wanted)),
        None => Err(Reason::STREAM_CLOSED.into()),
    }
}

fn write(piece: Bytes, to: &mut SendStream<Bytes>, half: &mut Half) -> Result<(), h2::Error> {
    note(half, &piece);
    to.send_data(piece, false)
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
