//! Bodies on their way: as they come, changed as they come, or all of one at once; as fast as receivers and limits allow.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;
use tokio::time::sleep;

use super::super::admission::{Limited, MAX_JUDGED};
use super::super::editing::Editing;
use crate::engine::edit::{Failed, Transform};
use crate::engine::http::Field;
use crate::engine::http::exchange::{Direction, Half};
use crate::engine::policy::rules::redirect::Redirect;
use crate::proxy::connection::Connection;
use crate::proxy::error::Side;

/// A stream that one side broke off.
pub(super) struct Cut {
    pub(super) side: Side,
    pub(super) reason: Reason,
    pub(super) text: String,
}

impl Cut {
    pub(super) fn new(side: Side, error: &h2::Error) -> Self {
        let text = format!("{}: {error}", side.name());
        Self { side, reason: error.reason().unwrap_or(Reason::INTERNAL_ERROR), text }
    }

    pub(super) fn reset(side: Side, reason: Reason) -> Self {
        Self { side, reason, text: format!("{} reset the stream: {reason:?}", side.name()) }
    }
}

/// What rules want of an exchange that goes on.
pub(super) struct Terms {
    pub(super) editing: Option<Editing>,
    pub(super) limited: Option<Limited>,
    /// The request's body and trailers, as they came, where they were read to be judged.
    pub(super) read: Option<(Bytes, Option<HeaderMap>)>,
    /// The server that it goes to instead of the connection's own.
    pub(super) redirect: Option<Redirect>,
}

/// All of a request's body and its trailers, as they came; nothing if it is too large.
pub(super) async fn read_all(
    connection: &Connection,
    from: &mut RecvStream,
    half: &mut Half,
) -> Result<Option<(Bytes, Option<HeaderMap>)>, Cut> {
    let cut = |error: &h2::Error| Cut::new(Side::Downstream, error);
    let mut raw = Vec::new();
    loop {
        poll_fn(|cx| connection.poll_room(cx)).await;
        let Some(data) = from.data().await else { break };
        let data = data.map_err(|error| cut(&error))?;
        from.flow_control().release_capacity(data.len()).map_err(|error| cut(&error))?;
        note(half, &data);
        raw.extend_from_slice(&data);
        if raw.len() > MAX_JUDGED {
            return Ok(None);
        }
    }
    let trailers = from.trailers().await.map_err(|error| cut(&error))?;
    half.end();
    Ok(Some((raw.into(), trailers)))
}

/// What comes of all of a body.
pub(super) fn changed(mut transform: Transform, raw: &[u8]) -> Result<Bytes, Failed> {
    let mut changed = Vec::new();
    transform.push(raw, &mut changed)?;
    transform.end(&mut changed)?;
    Ok(changed.into())
}

/// Why all of a body could not be had as rules want it.
pub(super) enum Unfit {
    Cut(Cut),
    Failed(Failed),
}

/// All of a body, as rules change it, and its trailers; noted as it came, if it is to be.
pub(super) async fn gather(
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
pub(super) async fn give_whole(
    body: Bytes,
    trailers: Option<HeaderMap>,
    to: &mut SendStream<Bytes>,
) -> Result<(), h2::Error> {
    give_changed(body, to).await?;
    match trailers {
        Some(trailers) => to.send_trailers(trailers),
        None => to.send_data(Bytes::new(), true),
    }
}

/// Passes a body and its trailers on. Room is given back to the sender only as the receiver makes it.
pub(super) async fn copy(
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

pub(super) fn note(half: &mut Half, data: &[u8]) {
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
pub(super) async fn send(mut data: Bytes, to: &mut SendStream<Bytes>, half: &mut Half) -> Result<(), h2::Error> {
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

pub(super) fn write(piece: Bytes, to: &mut SendStream<Bytes>, half: &mut Half) -> Result<(), h2::Error> {
    note(half, &piece);
    to.send_data(piece, false)
}

pub(super) fn end(trailers: Option<HeaderMap>, to: &mut SendStream<Bytes>, half: &mut Half) -> Result<(), h2::Error> {
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
