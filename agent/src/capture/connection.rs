//! One connection as it is recorded.

use std::net::SocketAddr;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

use crate::engine::event::{Event, Handshake};
use crate::engine::hex::hex;
use crate::engine::process::Process;

/// A connection.
#[derive(Default)]
pub(super) struct Connection {
    pub(super) accepted: i64,
    pub(super) closed: Option<i64>,
    pub(super) child: String,
    pub(super) destination: String,
    pub(super) host: Option<String>,
    pub(super) carried: Option<&'static str>,
    pub(super) reason: Option<&'static str>,
    /// What became of it, if it was not read.
    pub(super) verdict: Option<&'static str>,
    /// The rule that says so, if one does.
    pub(super) rule: Option<String>,
    /// The hash of the rules in force.
    pub(super) rules: Option<String>,
    pub(super) process: Option<Process>,
    pub(super) connected: Option<i64>,
    pub(super) connect_us: Option<u64>,
    pub(super) sni: Option<String>,
    pub(super) alpn: Option<String>,
    pub(super) verified: Option<bool>,
    pub(super) tls: Option<(Handshake, Option<Handshake>)>,
    /// SHA-256, in hexadecimal, and DER.
    pub(super) certificates: Vec<(String, Bytes)>,
    pub(super) error: Option<String>,
    /// The row does not say all of it.
    pub(super) is_dirty: bool,
}

impl Connection {
    /// A connection that was accepted.
    pub(super) fn new(at: i64, child: SocketAddr, destination: SocketAddr, process: Option<Process>) -> Self {
        let (child, destination) = (child.to_string(), destination.to_string());
        Self { accepted: at, child, destination, process, is_dirty: true, ..Self::default() }
    }

    /// Notes what `event` says of it.
    pub(super) fn note(&mut self, at: i64, event: &Event) {
        self.is_dirty = true;
        match event {
            Event::UpstreamConnected { took_us, .. } => {
                (self.connected, self.connect_us) = (Some(at), Some(*took_us));
            }
            Event::TlsIntercepted { sni, alpn, verified, child, server, certificates, .. } => {
                self.carried = Some("tls");
                self.host.clone_from(sni);
                self.sni.clone_from(sni);
                self.alpn.clone_from(alpn);
                self.verified = Some(*verified);
                self.tls = Some((child.clone(), server.clone()));
                self.certificates =
                    certificates.iter().map(|der| (hex(digest(&SHA256, der).as_ref()), der.clone())).collect();
            }
            Event::Relayed { reason, .. } | Event::RelayRefused { reason, .. } => {
                (self.carried, self.reason) = (self.carried.or(Some("relay")), Some(*reason));
            }
            Event::PassedThrough { host, reason, .. } => {
                (self.carried, self.reason, self.host) = (Some("pass-through"), Some(*reason), Some(host.clone()));
            }
            Event::ConnectionFailed { error, .. } => self.error = Some(error.clone()),
            Event::ConnectionClosed { .. } => self.closed = Some(at),
            _ => {}
        }
    }

    /// An exchange with `host` begins on it.
    pub(super) fn speaks_http(&mut self, host: &str) {
        if self.carried.is_none() {
            self.carried = Some("http");
            self.is_dirty = true;
        }
        if self.host.is_none() {
            self.host = Some(host.to_owned());
            self.is_dirty = true;
        }
    }
}
