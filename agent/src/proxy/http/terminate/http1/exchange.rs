//! The way of one exchange: head, verdict, forward, answer.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body as _, Incoming};
use hyper::{Request, Response};

use super::super::admission::{MAX_JUDGED, Settled, TOO_LARGE, judge_read, settle};
use super::super::editing::{Editing, Shaped, Stop};
use super::super::servers::{Servers, address};
use super::body::{Body, BoxError, Metered, Outgoing, Tracked};
use super::child::Entered;
use super::upgrade::Upgrade;
use super::{Upstream, answer};
use crate::engine::edit::Transform;
use crate::engine::http::{Field, Reply, RequestHead};
use crate::engine::policy::Verdict;
use crate::proxy::connection::Connection;
use crate::proxy::error::Error;

/// Carries `request` to the one of `servers` that it is for, and its response back. An error ends the stream or connection
/// that it came on.
pub(super) fn exchange(
    servers: &Arc<Servers<Upstream>>,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Body>, Error>> + use<> {
    let servers = Arc::clone(servers);
    let connection = &servers.own.route.connection;
    // Counted before the future is first polled: the child may have closed its side by then.
    let entered = connection.exchanges.enter();
    let mut head = RequestHead::of(&request, &servers.own.route.origin());
    let (tracked, mut judged) = Tracked::begin(connection, &head);
    let upgrade = Upgrade::of(&mut request, head.tunnel.clone());
    let mut request: Request<Outgoing> = request.map(|body| Either::Left(Metered::request(body, &tracked)));
    async move {
        let connection = &servers.own.route.connection;
        if matches!(judged.verdict, Verdict::Read) {
            let raw = match read(&mut request).await {
                Ok(raw) => raw,
                Err(error) => {
                    upgrade.decline(connection);
                    return Ok(stopped(&tracked, Stop::Lost(error)));
                }
            };
            let raw = raw.as_deref().ok_or(TOO_LARGE);
            judged = judge_read(connection, tracked.id(), &mut head, &judged, raw);
        }
        let (settled, limited) = settle(connection, tracked.id(), &head, &mut judged).await;
        tracked.limit(limited);
        let editing = judged.works.then(|| Editing::new(connection, tracked.id(), &judged.policy, head));
        let (permit, redirect) = match settled {
            Settled::Forward(permit, redirect) => (permit, redirect),
            Settled::Refuse(reply) => {
                upgrade.decline(connection);
                return Ok(tracked.reply(reply));
            }
            Settled::Mock(reply) => {
                upgrade.decline(connection);
                // As a server would: clients take an answer before they have sent all for a failure.
                if let Either::Left(body) = request.into_body() {
                    body.take_all().await;
                }
                return Ok(tracked.reply(reply));
            }
        };
        let (mut request, upgrade) = match outgoing(editing.as_ref(), request, upgrade).await {
            Ok(outgoing) => outgoing,
            Err((stop, upgrade)) => {
                upgrade.decline(connection);
                return Ok(stopped(&tracked, stop));
            }
        };
        address(&mut request, redirect.as_ref());
        let upstream = servers.of(redirect.as_ref(), Upstream::elsewhere);
        match upstream.send(permit, request).await {
            Ok(response) => Ok(deliver(connection, &tracked, entered, upgrade, editing, response).await),
            Err(error) => {
                upgrade.decline(connection);
                tracked.fail(error.chain());
                Ok(tracked.reply(answer::to(error)?))
            }
        }
    }
}

/// What a child is told whose exchange does not go on.
fn stopped(tracked: &Arc<Tracked>, stop: Stop<BoxError>) -> Response<Body> {
    let error: BoxError = match stop {
        Stop::Refuse(reply) | Stop::Mock(reply) => return tracked.reply(reply),
        Stop::Failed(error) => error.into(),
        Stop::Lost(error) => error,
    };
    let why = format!("a rule of this session could not be followed: {error}");
    tracked.fail(why.clone());
    tracked.reply(Reply::text(StatusCode::BAD_GATEWAY, &why))
}

/// All of a request's body, which it has again afterwards; nothing if it is too large.
async fn read(request: &mut Request<Outgoing>) -> Result<Option<Bytes>, BoxError> {
    let mut raw = Vec::new();
    while let Some(frame) = request.body_mut().frame().await {
        if let Ok(data) = frame?.into_data() {
            raw.extend_from_slice(&data);
        }
        if raw.len() > MAX_JUDGED {
            return Ok(None);
        }
    }
    let raw = Bytes::from(raw);
    *request.body_mut() = Either::Right(Full::new(raw.clone()));
    Ok(Some(raw))
}

/// The request as rules change it, and the upgrade that it asks for.
async fn outgoing(
    editing: Option<&Editing>,
    request: Request<Outgoing>,
    upgrade: Upgrade,
) -> Result<(Request<Outgoing>, Upgrade), (Stop<BoxError>, Upgrade)> {
    let Some(editing) = editing else { return Ok((request, upgrade)) };
    let (mut parts, body) = request.into_parts();
    let has_body = !upgrade.is_wanted() && !body.is_end_stream();
    // It is taken only if all of it is needed.
    let mut body = Some(body);
    let gather = async |transform| match body.take() {
        Some(body) => gathered(body, transform).await.map(|(body, _)| body),
        None => Ok(Bytes::new()),
    };
    let shaped = match editing.request(&mut parts, has_body, gather).await {
        Ok(shaped) => shaped,
        Err(stop) => {
            if let (Stop::Mock(_), Some(Either::Left(body))) = (&stop, body) {
                // As a server would: clients take an answer before they have sent all for a failure.
                body.take_all().await;
            }
            return Err((stop, upgrade));
        }
    };
    Ok(match (shaped, body) {
        (Shaped::Whole(whole), _) => (Request::from_parts(parts, Either::Right(Full::new(whole))), upgrade),
        (Shaped::Stream(transform), Some(body)) if upgrade.is_wanted() => {
            (Request::from_parts(parts, body), upgrade.through(transform.map(|transform| *transform)))
        }
        (Shaped::Stream(transform), Some(Either::Left(body))) => {
            let body = body.through(transform.map(|transform| *transform));
            (Request::from_parts(parts, Either::Left(body)), upgrade)
        }
        // What was read to be judged is no stream.
        (Shaped::Stream(_), Some(body)) => (Request::from_parts(parts, body), upgrade),
        (Shaped::Stream(_), None) => (Request::from_parts(parts, Either::Right(Full::default())), upgrade),
    })
}

/// All of a body, as rules change it, and its trailers.
async fn gathered(
    mut body: impl hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    mut transform: Transform,
) -> Result<(Bytes, Vec<Field>), BoxError> {
    let (mut changed, mut trailers) = (Vec::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Into::into)?;
        match frame.into_data() {
            Ok(data) => transform.push(&data, &mut changed)?,
            Err(frame) => trailers = frame.trailers_ref().map(Field::all).unwrap_or_default(),
        }
    }
    transform.end(&mut changed)?;
    transform.mend(&mut trailers);
    Ok((changed.into(), trailers))
}

async fn deliver(
    connection: &Arc<Connection>,
    tracked: &Arc<Tracked>,
    entered: Entered,
    upgrade: Upgrade,
    editing: Option<Editing>,
    response: Response<Incoming>,
) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    // It is taken only if all of it is needed.
    let has_body = parts.status != StatusCode::SWITCHING_PROTOCOLS && !body.is_end_stream();
    let (mut body, mut trailers) = (Some(body), Vec::new());
    let gather = async |transform| match body.take() {
        Some(body) => {
            let (whole, found) = gathered(body, transform).await?;
            trailers = found;
            Ok(whole)
        }
        None => Ok(Bytes::new()),
    };
    let shaped = match &editing {
        Some(editing) => editing.response(&mut parts, has_body, gather).await,
        None => Ok(Shaped::Stream(None)),
    };
    let (transform, body) = match (shaped, body) {
        (Ok(Shaped::Stream(transform)), Some(body)) => (transform.map(|transform| *transform), body),
        (Ok(Shaped::Whole(whole)), _) => {
            upgrade.decline(connection);
            connection.exchanges.answer();
            let fields = Field::all(&parts.headers);
            let reply = Reply { status: parts.status, fields, body: whole, trailers, ..Reply::default() };
            let mut given = tracked.reply(reply);
            // With its names as they were written.
            *given.extensions_mut() = parts.extensions;
            return given;
        }
        (Ok(Shaped::Stream(_)), None) => {
            upgrade.decline(connection);
            return stopped(tracked, Stop::Lost("its body is lost".into()));
        }
        (Err(stop), _) => {
            upgrade.decline(connection);
            return stopped(tracked, stop);
        }
    };
    let mut response = Response::from_parts(parts, body);
    let (switches, transform) = match upgrade.follow(connection, tracked, &mut response, transform) {
        Ok(followed) => followed,
        Err(reply) => return tracked.reply(reply),
    };
    tracked.answer(&response);
    connection.exchanges.answer();
    response.map(|body| {
        Either::Left(match switches {
            true => Metered::none(body, entered),
            false => Metered::response(body, tracked, entered, connection).through(transform),
        })
    })
}
