//! The way of one exchange, the same for every version of HTTP: head, verdict, forward, answer.

use std::sync::Arc;

use http_body_util::Either;
use hyper::body::Incoming;
use hyper::{Request, Response};

use super::body::{Body, Metered, Tracked};
use super::upgrade::Upgrade;
use super::{Protocol, Upstream, answer};
use crate::engine::http::RequestHead;
use crate::engine::http::exchange::Direction;
use crate::engine::policy::Verdict;
use crate::proxy::error::Error;

/// Carries `request` to `upstream` and its response back. An error ends the stream or connection that it came on.
pub(crate) async fn exchange(upstream: Arc<Upstream>, mut request: Request<Incoming>) -> Result<Response<Body>, Error> {
    let connection = &upstream.connection;
    let head = RequestHead::of(&request, upstream.scheme(), &connection.orig_dst.to_string());
    connection.name(head.host());
    let tracked = Tracked::begin(connection, connection.proxy.next_exchange(), &head);
    let Verdict::Forward(permit) = tracked.judge(&head);
    let upgrade = Upgrade::of(&mut request);
    let request = request.map(|body| Metered::new(body, Direction::Request, &tracked, false));
    match upstream.send(permit, request).await {
        Ok(response) => Ok(deliver(&upstream, &tracked, upgrade, response)),
        Err(error) => {
            tracked.fail(error.chain());
            answer::to(error).inspect(|response| tracked.answer(response.status()))
        }
    }
}

fn deliver(
    upstream: &Upstream,
    tracked: &Arc<Tracked>,
    upgrade: Upgrade,
    mut response: Response<Incoming>,
) -> Response<Body> {
    tracked.answer(response.status());
    upgrade.follow(&upstream.connection, tracked, &mut response);
    let whole_connection = upstream.protocol == Protocol::Http1;
    response.map(|body| Either::Left(Metered::new(body, Direction::Response, tracked, whole_connection)))
}
