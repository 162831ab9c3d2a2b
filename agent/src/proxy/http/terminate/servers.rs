//! The servers that the requests of one connection go to: its own, and those that rules name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderValue, Request, Uri, header};

use crate::engine::policy::rules::redirect::Redirect;

/// Others that are kept at once; rules name few.
const MAX_OTHERS: usize = 16;

/// The servers of a connection; `U` is how one is reached.
pub(super) struct Servers<U> {
    pub(super) own: Arc<U>,
    others: Mutex<HashMap<Redirect, Arc<U>>>,
}

impl<U> Servers<U> {
    /// Its own alone.
    pub(super) fn new(own: U) -> Self {
        Self { own: Arc::new(own), others: Mutex::default() }
    }

    /// The one that a request goes to; `open` gives the way to one that none went to so far.
    pub(super) fn of(&self, redirect: Option<&Redirect>, open: impl FnOnce(&U, Redirect) -> U) -> Arc<U> {
        let Some(redirect) = redirect else { return Arc::clone(&self.own) };
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if others.len() >= MAX_OTHERS && !others.contains_key(redirect) {
            others.clear();
        }
        let other = others.entry(redirect.clone()).or_insert_with(|| Arc::new(open(&self.own, redirect.clone())));
        Arc::clone(other)
    }
}

/// Has a request name the server that it is redirected to, if it is, unless it is to keep the name of its own.
pub(super) fn address<B>(request: &mut Request<B>, redirect: Option<&Redirect>) {
    let Some(redirect) = redirect else { return };
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    // Over HTTP/2 the scheme says how the server is spoken to, whatever it is called.
    uri.scheme = uri.scheme.map(|_| redirect.to.scheme());
    if !redirect.keep_host {
        uri.authority = uri.authority.map(|_| redirect.to.authority().clone());
        let host = HeaderValue::from_str(redirect.to.authority().as_str());
        if let (Some(field), Ok(host)) = (request.headers_mut().get_mut(header::HOST), host) {
            *field = host;
        }
    }
    *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
}
