//! Answers in the server's place, and what is taken of the requests that they answer.

use std::error::Error as StdError;
use std::future::poll_fn;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Response};
use tokio::time::{sleep, timeout};

use super::super::LINGER;
use super::pipe::{end, send, write};
use crate::engine::http::exchange::{Direction, Exchange, Half};
use crate::engine::http::reply::{Piece, UNWANTED};
use crate::engine::http::{Field, Reply};
use crate::proxy::connection::Connection;

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// When a request is answered that its sender may still be sending.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// At once; it may go on for a while.
    Now,
    /// When as much as that has come.
    After(usize),
}

/// The largest body of an answer of ours that is queued whole.
const AT_ONCE: usize = 64 * 1024;

/// Answers in the server's place, and takes as much of the request as is to be taken.
pub(super) async fn answer_instead(
    connection: &Connection,
    (reply, when): (Reply, When),
    is_head: bool,
    body: RecvStream,
    mut respond: SendResponse<Bytes>,
    exchange: &mut Exchange,
) {
    let mut sent = exchange.half(Direction::Request);
    match when {
        When::After(most) => {
            take(connection, body, most, &mut sent).await;
            answer(connection, reply, is_head, &mut respond, exchange).await;
        }
        When::Now => {
            let answering = answer(connection, reply, is_head, &mut respond, exchange);
            tokio::join!(answering, take(connection, body, UNWANTED, &mut sent));
        }
    }
    exchange.settle(Direction::Request, sent);
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

pub(super) async fn give(
    connection: &Connection,
    reply: Reply,
    is_head: bool,
    respond: &mut SendResponse<Bytes>,
    half: &mut Half,
) -> Result<(), BoxError> {
    let head = Response::builder().status(reply.status);
    let head = reply.head().iter().fold(head, |head, field| head.header(&field.name[..], &field.value[..])).body(())?;
    let trailers: Option<HeaderMap> = (!reply.trailers.is_empty()).then(|| Field::map(&reply.trailers));
    let has_more = !reply.pieces.is_empty() || trailers.is_some();
    let is_at_once = !has_more && reply.body.len() <= AT_ONCE;
    // The end of gRPC's answers without messages is that of their head.
    let is_empty = is_head || reply.body.is_empty() && !has_more;
    let mut body = respond.send_response(head, is_empty)?;
    if !is_empty && is_at_once {
        // In one go with the head: a child that stops sending when it has the head, though it said how much it would send,
        // has its stream reset before the body is on its way.
        write(Bytes::clone(&reply.body), &mut body, half)?;
        return Ok(end(None, &mut body, half)?);
    }
    if !is_empty {
        let parts = reply.parts();
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
