//! Every fact the agent can report, in the past tense, and where facts go.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use agent_common::maps::Reason;
use bytes::Bytes;
use serde::Serialize;

use super::http::tape::Tape;
use super::process::Process;

/// Where facts go. Cloned freely; emitting never blocks and never fails.
pub type Events = Arc<dyn Sink>;

/// A consumer of facts.
pub trait Sink: Send + Sync {
    /// Takes one fact.
    fn emit(&self, event: Event);

    /// Where the contents of exchanges go, if somebody wants them.
    fn tape(&self) -> Option<Arc<dyn Tape>> {
        None
    }

    /// Whether every verdict is to be told of, also where there is neither a rule nor a reason.
    fn audits(&self) -> bool {
        false
    }

    /// Takes the verdict of one request or connection.
    fn judged(&self, _judged: Judged) {}
}

/// The verdict of a request, or of a connection whose bytes would pass unread.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The connection.
    pub connection: ConnectionId,
    /// The exchange; `None` if it is about the connection.
    pub exchange: Option<ExchangeId>,
    /// Method and URL, or where the connection goes.
    pub request: String,
    /// The program that sent it, if the kernel says so.
    pub program: Option<String>,
    /// The verdict, as a word.
    pub verdict: &'static str,
    /// The rule that gave it, if one did.
    pub rule: Option<String>,
    /// Why, if that was said.
    pub reason: Option<String>,
    /// The hash of the rules in force; empty without any.
    pub rules: String,
}

/// Identifies one connection of the child within a session, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ConnectionId(pub u64);

/// Identifies one exchange within a session, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ExchangeId(pub u64);

/// A time in whole microseconds, as events tell it.
#[must_use]
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What a TLS handshake came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Handshake {
    /// The protocol version and the cipher suite, as in `TLSv1.3 TLS13_AES_256_GCM_SHA384`.
    pub suite: String,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// A fact. Serialises as one JSON object with the name of the fact in `event`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The kernel saw a connection being opened.
    FlowOpened {
        /// The child's end.
        child: SocketAddr,
        /// What the child dialled.
        orig_dst: SocketAddr,
    },
    /// The kernel saw a connection end.
    FlowClosed {
        /// The child's end.
        child: SocketAddr,
        /// What the child dialled.
        orig_dst: SocketAddr,
        /// `closed` or `reset`.
        state: &'static str,
        /// Bytes from the child, link layer included.
        bytes_out: u64,
        /// Bytes to the child.
        bytes_in: u64,
        /// Packets from the child.
        packets_out: u64,
        /// Packets to the child.
        packets_in: u64,
    },
    /// The proxy accepted a connection and found its flow.
    ConnectionAccepted {
        /// The connection.
        connection: ConnectionId,
        /// The child's end.
        child: SocketAddr,
        /// What the child dialled.
        orig_dst: SocketAddr,
        /// Who dialled; none if that was no process of the session's control group.
        process: Option<Process>,
    },
    /// A connection was reset because no flow says where it was to go, or the kernel contradicts the flow.
    FlowUnknown {
        /// The child's end.
        child: SocketAddr,
        /// Our end, as the kernel names it.
        local: SocketAddr,
    },
    /// The server was connected.
    UpstreamConnected {
        /// The connection.
        connection: ConnectionId,
        /// How long that took, in microseconds.
        took_us: u64,
    },
    /// A TLS connection was terminated on both sides.
    TlsIntercepted {
        /// The connection.
        connection: ConnectionId,
        /// The server name that the child asked for.
        sni: Option<String>,
        /// The application protocol that the server chose.
        alpn: Option<String>,
        /// Whether the server's certificate was found good.
        verified: bool,
        /// What was agreed on with the child.
        child: Handshake,
        /// What was agreed on with the server; nothing where the agent answers in its place.
        #[serde(skip_serializing_if = "Option::is_none")]
        server: Option<Handshake>,
        /// The server's certificates, DER, its own first.
        #[serde(skip)]
        certificates: Vec<Bytes>,
    },
    /// The server's certificate was not accepted; the child is shown one with the same defect.
    CertificateRejected {
        /// The connection.
        connection: ConnectionId,
        /// The name it was judged for.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server asked for a certificate of the client's.
    ClientCertificateRequested {
        /// The connection.
        connection: ConnectionId,
        /// The server's name, or its address.
        name: String,
        /// Whether a configured one was presented; without one the server is told that there is none.
        used: bool,
    },
    /// A client refused the certificate that it was shown, though the server's own is good: it pins, or has roots of
    /// its own. Reported once for each program and host.
    ClientRefusedCertificate {
        /// The connection.
        connection: ConnectionId,
        /// Who opened the connection, if the kernel noted it.
        #[serde(skip_serializing_if = "Option::is_none")]
        process: Option<Process>,
        /// The host that it wanted: the server name, or the address without one.
        host: String,
        /// How it refused: its TLS alert, or that it hung up.
        how: &'static str,
        /// What would make that kind of client trust the session's authority.
        setting: &'static str,
    },
    /// A TLS connection's bytes are forwarded unread, to and from the server itself.
    PassedThrough {
        /// The connection.
        connection: ConnectionId,
        /// The host that the client wanted.
        host: String,
        /// Why.
        reason: &'static str,
    },
    /// A connection's bytes are forwarded unread.
    Relayed {
        /// The connection.
        connection: ConnectionId,
        /// Why: its port, or what its first bytes were.
        reason: &'static str,
    },
    /// Somebody is asked whether a connection's bytes may pass unread.
    ConnectionAsked {
        /// The connection.
        connection: ConnectionId,
        /// The host that TLS names, or address and port.
        host: String,
        /// The rule that wants it.
        rule: String,
    },
    /// The policy refused to forward a connection's bytes unread.
    RelayRefused {
        /// The connection.
        connection: ConnectionId,
        /// Why it would have been relayed.
        reason: &'static str,
    },
    /// A connection ended in an error.
    ConnectionFailed {
        /// The connection.
        connection: ConnectionId,
        /// Which side failed: `downstream`, `upstream` or `internal`.
        side: &'static str,
        /// What happened.
        error: String,
    },
    /// A connection ended.
    ConnectionClosed {
        /// The connection.
        connection: ConnectionId,
    },
    /// The head of a request was read.
    ExchangeStarted {
        /// The connection.
        connection: ConnectionId,
        /// The exchange.
        exchange: ExchangeId,
        /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
        version: &'static str,
        /// The method.
        method: String,
        /// The full URL: scheme, authority, path and query.
        url: String,
        /// The rule that lets it pass by its head, if one does.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
    },
    /// An exchange ended, whichever way.
    ExchangeFinished {
        /// The exchange.
        exchange: ExchangeId,
        /// The response's status, if one was sent.
        status: Option<u16>,
        /// Bytes of the request's body that were forwarded.
        request_bytes: u64,
        /// Bytes of the response's body that were forwarded.
        response_bytes: u64,
        /// What cut it short, if anything did.
        error: Option<String>,
    },
    /// The policy refused a request; the child got an answer of the agent's.
    ExchangeRefused {
        /// The exchange.
        exchange: ExchangeId,
        /// The status it was answered with.
        status: u16,
        /// The rule that says so, if one does.
        rule: Option<String>,
        /// Why.
        reason: String,
    },
    /// A rule let a request pass that was to be read or asked about first.
    ExchangeAllowed {
        /// The exchange.
        exchange: ExchangeId,
        /// The rule.
        rule: String,
    },
    /// A script wrote to its console, or failed.
    ScriptSaid {
        /// The script.
        script: String,
        /// `log`, `warn` or `error`.
        level: &'static str,
        /// What it said.
        text: String,
    },
    /// Somebody is asked whether a request goes on.
    ExchangeAsked {
        /// The exchange.
        exchange: ExchangeId,
        /// The host that it goes to.
        host: String,
        /// The rule that wants it.
        rule: Option<String>,
    },
    /// A rule held a request back for a while.
    ExchangeHeld {
        /// The exchange.
        exchange: ExchangeId,
        /// For how long, in milliseconds.
        held_ms: u64,
    },
    /// Rules changed the request of an exchange, or its response.
    ExchangeEdited {
        /// The exchange.
        exchange: ExchangeId,
        /// The rules, in the order in which they did.
        rules: Vec<String>,
    },
    /// A rule answered a request as if by the server.
    ExchangeMocked {
        /// The exchange.
        exchange: ExchangeId,
        /// The status it was answered with.
        status: u16,
        /// The rule.
        rule: Option<String>,
    },
    /// A rule sent a request to another server.
    ExchangeRedirected {
        /// The exchange.
        exchange: ExchangeId,
        /// The other server, as `https://host:port`.
        to: String,
        /// The rule.
        rule: Option<String>,
    },
    /// A dry run let a request pass that enforce mode would not.
    ExchangeSpared {
        /// The exchange.
        exchange: ExchangeId,
        /// What enforce mode would do: `block`, `mock` or `redirect`.
        verdict: &'static str,
        /// The rule that says so, if one does.
        rule: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// A message was refused because it is not HTTP or may be read in two ways. Its connection ends, or its stream.
    MessageRefused {
        /// The connection.
        connection: ConnectionId,
        /// Who sent it: `downstream` or `upstream`.
        side: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A DNS query was answered.
    DnsAnswered {
        /// Who asked.
        child: SocketAddr,
        /// `udp` or `tcp`.
        transport: &'static str,
        /// The name asked for.
        name: String,
        /// The record type asked for, as text.
        record_type: String,
        /// The response code, as text.
        rcode: String,
        /// The addresses in the answer.
        addresses: Vec<IpAddr>,
        /// How long that took, in microseconds.
        took_us: u64,
    },
    /// A DNS query was refused, or the response to it. Repeated refusals are folded into one event a second.
    DnsRefused {
        /// Who asked.
        child: SocketAddr,
        /// `udp` or `tcp`.
        transport: &'static str,
        /// The name asked for, if that can be read.
        name: Option<String>,
        /// The record type asked for, as text, if that can be read.
        record_type: Option<String>,
        /// Why, in a word.
        reason: &'static str,
        /// How many refusals for the same reason, of names with the same parent, it reports besides.
        folded: u64,
    },
    /// The kernel refused something, or the proxy refused what the kernel could not judge.
    AttemptBlocked {
        /// Why.
        #[serde(serialize_with = "reason_name")]
        reason: Reason,
        /// IANA protocol number, or zero.
        protocol: u8,
        /// EtherType of the frame.
        ether_type: u16,
        /// Where to; zeros where the frame does not say.
        dst: SocketAddr,
        /// How many packets so far.
        packets: u64,
        /// How many of them no event has told of before, besides the one that this is about.
        folded: u64,
        /// Who tried, as far as the kernel tells: programs that connect or send datagrams, not those that forge frames.
        process: Option<Process>,
    },
    /// Traffic is not recorded: nothing more can be written.
    CaptureFailed {
        /// Why.
        reason: String,
        /// Whether it waits until it can be; else it goes on.
        blocks: bool,
    },
    /// Traffic is recorded again.
    CaptureResumed {
        /// Bytes of content that passed unrecorded, in the whole session so far.
        unrecorded_bytes: u64,
    },
    /// The session follows rules that were read again.
    RulesReloaded {
        /// How many there are.
        rules: usize,
        /// Their hash, as audits have it.
        hash: String,
    },
    /// Rules that were read again cannot be used; the session follows those that it had.
    RulesRejected {
        /// Why, line by line.
        reason: String,
    },
    /// The proxy refused to dial an address that belongs to the host or its infrastructure.
    UpstreamRefused {
        /// The connection.
        connection: ConnectionId,
        /// Where to.
        dst: SocketAddr,
        /// What kind of address it is.
        reason: &'static str,
    },
}

impl Event {
    /// The connection that it is about, if it is about one and names it.
    #[must_use]
    pub const fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::ConnectionAccepted { connection, .. }
            | Self::UpstreamConnected { connection, .. }
            | Self::TlsIntercepted { connection, .. }
            | Self::CertificateRejected { connection, .. }
            | Self::ClientCertificateRequested { connection, .. }
            | Self::ClientRefusedCertificate { connection, .. }
            | Self::PassedThrough { connection, .. }
            | Self::Relayed { connection, .. }
            | Self::ConnectionAsked { connection, .. }
            | Self::RelayRefused { connection, .. }
            | Self::ConnectionFailed { connection, .. }
            | Self::ConnectionClosed { connection }
            | Self::ExchangeStarted { connection, .. }
            | Self::MessageRefused { connection, .. }
            | Self::UpstreamRefused { connection, .. } => Some(*connection),
            _ => None,
        }
    }
}

fn reason_name<S: serde::Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(reason.name())
}
