//! The way of one exchange: head, verdict, forward, answer.

use std::sync::Arc;

use http_body_util::Either;
use hyper::body::Incoming;
use hyper::{Request, Response};

use super::body::{Body, Metered, Tracked};
use super::child::Entered;
use super::upgrade::Upgrade;
use super::{Upstream, answer};
use crate::engine::http::RequestHead;
use crate::engine::policy::Verdict;
use crate::proxy::error::Error;

/// Carries `request` to `upstream` and its response back. An error ends the stream or connection that it came on.
pub(super) fn exchange(
    upstream: &Arc<Upstream>,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Body>, Error>> + use<> {
    let upstream = Arc::clone(upstream);
    let connection = &upstream.route.connection;
    // Counted before the future is first polled: the child may have closed its side by then.
    let entered = connection.exchanges.enter();
    let head = RequestHead::of(&request, &upstream.route.origin());
    let (tracked, verdict) = Tracked::begin(connection, &head);
    let upgrade = Upgrade::of(&mut request, head.tunnel);
    let request = request.map(|body| Metered::request(body, &tracked));
    async move {
        let permit = match verdict {
            Verdict::Forward(permit) => permit,
            Verdict::Refuse(reply) => {
                upgrade.decline(&upstream.route.connection);
                tracked.reply(&reply);
                return Ok(answer::with(reply));
            }
        };
        match upstream.send(permit, request).await {
            Ok(response) => Ok(deliver(&upstream, &tracked, entered, upgrade, response)),
            Err(error) => {
                upgrade.decline(&upstream.route.connection);
                tracked.fail(error.chain());
                let reply = answer::to(error)?;
                tracked.reply(&reply);
                Ok(answer::with(reply))
            }
        }
    }
}

fn deliver(
    upstream: &Upstream,
    tracked: &Arc<Tracked>,
    entered: Entered,
    upgrade: Upgrade,
    mut response: Response<Incoming>,
) -> Response<Body> {
    let switches = match upgrade.follow(&upstream.route.connection, tracked, &mut response) {
        Ok(switches) => switches,
        Err(reply) => {
            tracked.reply(&reply);
            return answer::with(reply);
        }
    };
    tracked.answer(&response);
    upstream.route.connection.exchanges.answer();
    response.map(|body| {
        Either::Left(match switches {
            true => Metered::none(body, entered),
            false => Metered::response(body, tracked, entered, &upstream.route.connection),
        })
    })
}
