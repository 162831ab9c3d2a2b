//! One exchange on one stream of either side: both bodies at once, room as it is made, resets with their codes.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};

use super::super::admission::{Settled, TOO_LARGE, judge_read, settle};
use super::super::editing::{Editing, Shaped, Stop};
use super::super::servers::{Servers, address};
use super::answer::{BoxError, When, answer_instead, give};
use super::pipe::{Cut, Terms, Unfit, changed, copy, end, gather, give_whole, read_all, send};
use super::upstream::Upstream;
use crate::engine::edit::Transform;
use crate::engine::http::exchange::{Direction, Exchange, Half};
use crate::engine::http::reply::UNWANTED;
use crate::engine::http::{Field, Reply, RequestHead};
use crate::engine::policy::rules::redirect::Redirect;
use crate::engine::policy::{Permit, Verdict};
use crate::proxy::connection::Connection;
use crate::proxy::error::{Error, Side};

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
pub(super) async fn carry(
    servers: Arc<Servers<Upstream>>,
    mut request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let connection = &servers.own.route.connection;
    let _entered = connection.exchanges.enter();
    let mut head = RequestHead::of(&request, &servers.own.route.origin());
    if let Some(protocol) = request.extensions().get::<Protocol>() {
        head.tunnel = Some(protocol.as_str().to_owned());
    }
    let (exchange, mut judged) =
        connection.begin_exchange(&head, connection.judge(&head), |event| connection.emit(event));
    let mut followed = Followed { connection: Arc::clone(connection), exchange };
    let exchange = &mut followed.exchange;
    let (mut read, mut refused) = (None, When::Now);
    if matches!(judged.verdict, Verdict::Read) {
        let mut sent = exchange.half(Direction::Request);
        read = match read_all(connection, request.body_mut(), &mut sent).await {
            Ok(read) => read,
            Err(cut) => {
                exchange.fail(cut.text);
                return respond.send_reset(cut.reason);
            }
        };
        exchange.settle(Direction::Request, sent);
        if read.is_none() {
            refused = When::After(UNWANTED);
        }
        let raw = read.as_ref().map(|(raw, _)| &raw[..]).ok_or(TOO_LARGE);
        judged = judge_read(connection, exchange.id(), &mut head, &judged, raw);
    }
    let settling = settle(connection, exchange.id(), &head, &mut judged);
    let (settled, limited) = tokio::select! {
        biased;
        // Whoever waited no longer does.
        reset = poll_fn(|cx| respond.poll_reset(cx)) => return exchange.fail(left(reset).text),
        settled = settling => settled,
    };
    let editing = judged.works.then(|| Editing::new(connection, exchange.id(), &judged.policy, head));
    let mut terms = Terms { editing, limited, read, redirect: None };
    let answer = match settled {
        Settled::Refuse(reply) => (reply, refused),
        // As a server would: clients take an answer before they have sent all for a failure.
        Settled::Mock(reply) => (reply, When::After(usize::MAX)),
        Settled::Forward(permit, redirect) => {
            terms.redirect = redirect;
            return forward(&servers, permit, request, respond, exchange, &mut terms).await;
        }
    };
    let is_head = request.method() == Method::HEAD;
    answer_instead(connection, answer, is_head, request.into_body(), respond, exchange).await;
}

async fn open(
    servers: &Servers<Upstream>,
    permit: Permit,
    redirect: Option<&Redirect>,
) -> Result<SendRequest<Bytes>, Error> {
    servers.of(redirect, Upstream::elsewhere).sender(permit).await
}

/// What a child is told whose exchange does not go on.
fn stopped(exchange: &mut Exchange, stop: Stop<Unfit>) -> Reply {
    let error = match stop {
        Stop::Refuse(reply) | Stop::Mock(reply) => return reply,
        Stop::Failed(error) | Stop::Lost(Unfit::Failed(error)) => error.to_string(),
        Stop::Lost(Unfit::Cut(cut)) => cut.text,
    };
    let why = format!("a rule of this session could not be followed: {error}");
    exchange.fail(why.clone());
    Reply::text(StatusCode::BAD_GATEWAY, &why)
}

/// A request as it goes on.
struct Outgoing {
    request: Request<()>,
    ends: bool,
    /// What changes its body as it passes.
    transform: Option<Transform>,
    /// All of its body, and its trailers, where they are known.
    whole: Option<(Bytes, Option<HeaderMap>)>,
}

/// The request as rules change it.
async fn shape(
    connection: &Connection,
    terms: &mut Terms,
    mut head: Parts,
    body: &mut RecvStream,
    sent: &mut Half,
) -> Result<Outgoing, Stop<Unfit>> {
    let mut read = terms.read.take();
    let terms = &*terms;
    let mut ends =
        read.as_ref().map_or_else(|| body.is_end_stream(), |(raw, trailers)| raw.is_empty() && trailers.is_none());
    let mut trailers = None;
    let gather = async |transform: Transform| {
        let (whole, found) = match read.take() {
            Some((raw, found)) => (changed(transform, &raw).map_err(Unfit::Failed)?, found),
            None => gather((connection, terms), body, Direction::Request, transform, Some(sent)).await?,
        };
        trailers = found;
        Ok(whole)
    };
    let shaped = match &terms.editing {
        Some(editing) => editing.request(&mut head, !ends, gather).await?,
        None => Shaped::Stream(None),
    };
    let (transform, whole) = match shaped {
        // What was read to be judged is no stream.
        Shaped::Stream(transform) => (transform.map(|transform| *transform), read.take()),
        Shaped::Whole(whole) => {
            ends = whole.is_empty() && trailers.is_none();
            (None, Some((whole, trailers)))
        }
    };
    let mut request = Request::from_parts(head, ());
    address(&mut request, terms.redirect.as_ref());
    Ok(Outgoing { request, ends, transform, whole })
}

async fn forward(
    servers: &Servers<Upstream>,
    permit: Permit,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    exchange: &mut Exchange,
    terms: &mut Terms,
) {
    let connection = &servers.own.route.connection;
    let (head, mut body) = request.into_parts();
    let is_head = head.method == Method::HEAD;
    // What was read was noted then.
    let mut sent = if terms.read.is_some() { Half::over() } else { exchange.half(Direction::Request) };
    let mut received = exchange.half(Direction::Response);
    let Outgoing { request, ends, transform, whole } = match shape(connection, terms, head, &mut body, &mut sent).await
    {
        Ok(outgoing) => outgoing,
        Err(Stop::Lost(Unfit::Cut(cut))) => {
            exchange.fail(cut.text);
            return respond.send_reset(cut.reason);
        }
        Err(stop) => {
            let when = if matches!(stop, Stop::Mock(_)) { When::After(usize::MAX) } else { When::Now };
            let reply = stopped(exchange, stop);
            return answer_instead(connection, (reply, when), is_head, body, respond, exchange).await;
        }
    };
    let terms = &*terms;
    let mut sender = match open(servers, permit, terms.redirect.as_ref()).await {
        Ok(sender) => sender,
        Err(error) => {
            exchange.fail(error.chain());
            let reply = Reply::unreachable(&error.to_string(), error.is_late());
            return answer_instead(connection, (reply, When::Now), is_head, body, respond, exchange).await;
        }
    };
    let (response, mut upload) = match sender.send_request(request, ends) {
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
