//! Requests as a script sees them, and what it says becomes of them.

use bytes::Bytes;
use http::Method;
use rquickjs::{Ctx, Object, Value};

use super::error::Fault;
use super::{body, headers, reply};
use crate::engine::http::{Field, Reply, RequestHead};
use crate::engine::policy::rules::rule::Block;
use crate::engine::wire::http1::MAX_HEAD;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its head.
    pub head: RequestHead,
    /// Its body without content codings, at most [`MAX_BODY`](super::MAX_BODY); `None` where it is not known, and, of what
    /// a script has changed, where it stays as it is.
    pub body: Option<Bytes>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// It goes on as it is.
    Pass,
    /// It goes on like this. Fields that belong to a connection are as they were, so lengths may be wrong.
    Change(Box<Request>),
    /// It is refused.
    Block(Block),
    /// It is answered in the server's place.
    Respond(Reply),
}

/// What `onRequest` may return one of, if it returns an object that is a request.
const MEMBERS: [&str; 6] = ["method", "url", "host", "path", "headers", "body"];

/// A request that a script is given.
pub(super) struct Shown<'js> {
    pub(super) object: Object<'js>,
    body: Value<'js>,
}

impl<'js> Shown<'js> {
    /// What is shown of `head` and `body`, which is not there if it is not known.
    pub(super) fn new(ctx: &Ctx<'js>, head: &RequestHead, bytes: Option<&Bytes>) -> Result<Self, Fault> {
        let body = bytes.map(|bytes| body::show(ctx, bytes)).transpose()?;
        let body = body.unwrap_or_else(|| Value::new_undefined(ctx.clone()));
        let object = Object::new(ctx.clone())?;
        object.set("method", head.method.as_str())?;
        object.set("url", head.url())?;
        object.set("host", head.host())?;
        object.set("path", head.path.as_str())?;
        object.set("headers", headers::show(ctx, &head.fields)?)?;
        object.set("body", body.clone())?;
        Ok(Self { object, body })
    }

    /// What becomes of `request`, which this shows, by what `onRequest` returned.
    pub(super) fn action(&self, returned: &Value<'js>, request: &Request) -> Result<Action, Fault> {
        let object = match returned.as_object() {
            Some(object) => object,
            None if returned.is_undefined() || returned.is_null() => &self.object,
            None => return Fault::unusable(format!("onRequest returned a {}: {RETURN}", returned.type_name())),
        };
        if let Some(block) = reply::block(&object.get("block")?)? {
            return Ok(Action::Block(block));
        }
        let respond: Value<'js> = object.get("respond")?;
        if !respond.is_undefined() && !respond.is_null() {
            return respond_to(&request.head, reply::respond(&respond, "respond")?);
        }
        if object.as_value() != self.object.as_value()
            && !has_one_of(object, &MEMBERS)?
            && !has_one_of(object, &["block"])?
        {
            return Fault::unusable(format!("onRequest returned an object with nothing that is known in it: {RETURN}"));
        }
        let changed = self.read(object, request)?;
        Ok(if changed == *request { Action::Pass } else { Action::Change(Box::new(changed)) })
    }

    /// `request` as `object` says it is. What is missing there stays.
    fn read(&self, object: &Object<'js>, request: &Request) -> Result<Request, Fault> {
        let mut changed = request.clone();
        let head = &mut changed.head;
        head.method = method(object, &request.head)?;
        if reply::text(object, "host")?.is_some_and(|host| host != request.head.host()) {
            return Fault::unusable("host has changed: a request goes where it was sent");
        }
        head.path = path(object, &request.head)?;
        let (method, path) = (head.method.as_str().to_owned(), head.path.clone());
        for (name, value) in [(":method", method), (":path", path)] {
            for field in head.pseudo.iter_mut().filter(|field| field.is(name) && field.value != value) {
                *field = Field { value: value.clone().into(), ..field.clone() };
            }
        }
        let fields: Value<'js> = object.get("headers")?;
        if !fields.is_undefined() {
            head.fields = headers::read(&fields, &request.head.fields)?;
        }
        if let Some(body) = changed_body(object, "body", &self.body)? {
            changed.body = Some(body);
        }
        Ok(changed)
    }
}

const RETURN: &str = "return nothing, the request, { block: … } or { respond: … }";

/// The bytes that the member `name` of `object` stands for, if it is not the string `shown` any more.
pub(super) fn changed_body<'js>(object: &Object<'js>, name: &str, shown: &Value<'js>) -> Result<Option<Bytes>, Fault> {
    let value: Value<'js> = object.get(name)?;
    if value.is_string() && value == *shown {
        return Ok(None);
    }
    Ok(body::read(&value, name)?.map(|(bytes, _)| bytes))
}

/// Whether `object` has one of `names`.
pub(super) fn has_one_of(object: &Object<'_>, names: &[&str]) -> Result<bool, Fault> {
    for name in names {
        if object.contains_key(*name)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A success would turn a request for a tunnel into one, with nobody at its other end.
fn respond_to(head: &RequestHead, reply: Reply) -> Result<Action, Fault> {
    if head.method == Method::CONNECT && reply.status.is_success() {
        return Fault::unusable("respond: a CONNECT is not answered with a success by scripts");
    }
    Ok(Action::Respond(reply))
}

fn method(object: &Object<'_>, head: &RequestHead) -> Result<Method, Fault> {
    let Some(name) = reply::text(object, "method")?.filter(|name| name != head.method.as_str()) else {
        return Ok(head.method.clone());
    };
    match Method::from_bytes(name.as_bytes()) {
        Ok(method) if method != Method::CONNECT && head.method != Method::CONNECT => Ok(method),
        Ok(_) => Fault::unusable("method has changed from or to CONNECT"),
        Err(error) => Fault::unusable(format!("method: {error}")),
    }
}

/// The path, as `path` says or else `url`.
fn path(object: &Object<'_>, head: &RequestHead) -> Result<String, Fault> {
    let (path, url) = (reply::text(object, "path")?, reply::text(object, "url")?);
    let origin = format!("{}://{}", head.scheme, head.authority);
    let of_url = match url.filter(|url| *url != head.url()) {
        Some(url) => match url.strip_prefix(&origin).filter(|path| path.is_empty() || path.starts_with(['/', '?'])) {
            Some(path) if path.starts_with('/') => Some(path.to_owned()),
            Some(path) => Some(format!("/{path}")),
            None => return Fault::unusable("url has another host: a request goes where it was sent"),
        },
        None => None,
    };
    let Some(path) = path.filter(|path| *path != head.path).or(of_url) else { return Ok(head.path.clone()) };
    let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if head.method == Method::CONNECT || !is_path || path.len() > MAX_HEAD {
        return Fault::unusable("path is none: write it as `/a%20b?c=d`");
    }
    Ok(path)
}
