//! The forwarder on loopback, between a client and resolvers that each test scripts.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Notify, watch};

use super::upstream::{read_frame, write_frame};
use super::{Config, Forwarder, Sockets};
use crate::engine::event::{Event, Sink};
use crate::engine::policy::destination::STAND_IN;
use crate::engine::policy::{Mode, Policy};

/// What a resolver does with a query: the datagrams it sends, or over TCP the messages.
type Script = fn(query: &[u8], over_tcp: bool) -> Vec<Vec<u8>>;

const TC: u16 = 0x0200;

/// A query for the A records of `name.test`, with EDNS options if there is a size.
fn query(id: u16, udp_size: Option<u16>) -> Vec<u8> {
    let additional = u8::from(udp_size.is_some());
    let header = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, additional]].concat();
    let options = udp_size.map(|size| [&[0, 0, 41][..], &size.to_be_bytes(), &[0; 6]].concat());
    [&header[..], b"\x04name\x04test\0\0\x01\0\x01", &options.unwrap_or_default()].concat()
}

/// The response to `query` with flags and answers added.
fn response(query: &[u8], flags: u16, answers: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(answers.len()).unwrap();
    let head = [&query[..2], &(0x8180 | flags).to_be_bytes(), &[0, 1], &count.to_be_bytes(), &[0; 4], &query[12..27]];
    [&head.concat()[..], &answers.concat()].concat()
}

fn a(last: u8) -> Vec<u8> {
    vec![0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last]
}

fn good(query: &[u8], _: bool) -> Vec<Vec<u8>> {
    vec![response(query, 0, &[a(1)])]
}

fn big(query: &[u8], over_tcp: bool) -> Vec<Vec<u8>> {
    let answers: Vec<_> = (0..100).map(a).collect();
    vec![if over_tcp { response(query, 0, &answers) } else { response(query, TC, &[]) }]
}

fn huge(query: &[u8], over_tcp: bool) -> Vec<Vec<u8>> {
    let answers: Vec<_> = (0..200).map(a).collect();
    vec![if over_tcp { response(query, 0, &answers) } else { response(query, TC, &[]) }]
}

fn silent(_: &[u8], _: bool) -> Vec<Vec<u8>> {
    Vec::new()
}

fn https(query: &[u8], _: bool) -> Vec<Vec<u8>> {
    let params = b"\0\x01\0\0\x01\0\x06\x02h3\x02h2\0\x05\0\x03ech";
    let length = u8::try_from(params.len()).unwrap();
    vec![response(query, 0, &[[&[0xc0, 12, 0, 65, 0, 1, 0, 0, 0, 60, 0, length], &params[..]].concat()])]
}

fn wrong_first(query: &[u8], _: bool) -> Vec<Vec<u8>> {
    let mut wrong_id = response(query, 0, &[a(66)]);
    wrong_id[1] ^= 1;
    let mut wrong_name = response(query, 0, &[a(66)]);
    wrong_name[13] ^= 1;
    vec![wrong_id, wrong_name, b"?".to_vec(), response(query, 0, &[a(1)])]
}

fn refusing(query: &[u8], _: bool) -> Vec<Vec<u8>> {
    vec![response(query, 5, &[])]
}

fn policy(mode: Mode) -> watch::Receiver<Arc<Policy>> {
    watch::channel(Arc::new(Policy::allowing(mode))).1
}

/// One port for both transports. The kernel chooses it for one of them; the other's may be taken.
async fn listen() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

/// Starts a resolver; it and its port live as long as the test.
async fn resolver(script: Script) -> SocketAddr {
    let (udp, tcp) = listen().await;
    let address = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
            for datagram in script(&buffer[..length], false) {
                udp.send_to(&datagram, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            while let Some(query) = read_frame(&mut stream).await.unwrap() {
                for message in script(&query, true) {
                    write_frame(&mut stream, &message).await.unwrap();
                }
            }
        }
    });
    address
}

#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<Event>>,
    more: Notify,
}

impl Sink for Recorder {
    fn emit(&self, event: Event) {
        self.events.lock().unwrap().push(event);
        self.more.notify_one();
    }
}

/// A forwarder that serves one UDP socket and one listener on loopback.
struct Lab {
    forwarder: Arc<Forwarder>,
    events: Arc<Recorder>,
    udp: SocketAddr,
    tcp: SocketAddr,
}

impl Lab {
    async fn new(scripts: &[Script]) -> Self {
        Self::with(scripts, 16, "127.0.0.1:0").await
    }

    async fn with(scripts: &[Script], max_in_flight: usize, udp: &str) -> Self {
        Self::under(Mode::Observe, scripts, max_in_flight, udp).await
    }

    async fn enforcing(script: Script) -> Self {
        Self::under(Mode::Enforce, &[script], 16, "127.0.0.1:0").await
    }

    async fn under(mode: Mode, scripts: &[Script], max_in_flight: usize, udp: &str) -> Self {
        Self::of(policy(mode), scripts, max_in_flight, udp).await
    }

    async fn of(policy: watch::Receiver<Arc<Policy>>, scripts: &[Script], max_in_flight: usize, udp: &str) -> Self {
        let mut resolvers = Vec::new();
        for script in scripts {
            resolvers.push(resolver(*script).await);
        }
        let config = Config { resolvers, timeout: Duration::from_millis(100), attempts: 2, max_in_flight };
        let events = Arc::new(Recorder::default());
        let forwarder = Forwarder::new(config, policy, Arc::clone(&events) as _);
        let udp = std::net::UdpSocket::bind(udp).unwrap();
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        udp.set_nonblocking(true).unwrap();
        tcp.set_nonblocking(true).unwrap();
        let (udp_address, tcp_address) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        tokio::spawn(Arc::clone(&forwarder).serve(Sockets { udp: vec![udp], tcp: vec![tcp] }));
        Self { forwarder, events, udp: udp_address, tcp: tcp_address }
    }

    async fn ask(&self, query: &[u8]) -> Vec<u8> {
        exchange(query, self.udp).await
    }

    async fn ask_over_tcp(&self, query: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.tcp).await.unwrap();
        write_frame(&mut stream, query).await.unwrap();
        soon(read_frame(&mut stream)).await.unwrap().unwrap()
    }

    fn events(&self) -> Vec<Event> {
        self.events.events.lock().unwrap().clone()
    }

    /// How many refusals each event reports, with its reason and name.
    fn refusals(&self) -> Vec<(&'static str, Option<String>, u64)> {
        let refusal = |event| match event {
            Event::DnsRefused { reason, name, folded, .. } => Some((reason, name, 1 + folded)),
            _ => None,
        };
        self.events().into_iter().filter_map(refusal).collect()
    }
}

/// Sends a query from a socket that takes a response only from where the query went.
async fn exchange(query: &[u8], to: SocketAddr) -> Vec<u8> {
    let unspecified = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(unspecified).await.unwrap();
    socket.connect(to).await.unwrap();
    socket.send(query).await.unwrap();
    let mut buffer = vec![0; 65535];
    let length = soon(socket.recv(&mut buffer)).await.unwrap();
    buffer.truncate(length);
    buffer
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("nothing happened in ten seconds")
}

fn rcode(response: &[u8]) -> u8 {
    response[3] & 0xf
}

#[tokio::test]
async fn an_answer_is_forwarded_reported_and_remembered() {
    let lab = Lab::new(&[good]).await;
    let query = query(7, Some(1232));
    assert_eq!(lab.ask(&query).await, response(&query, 0, &[a(1)]));
    let ip: IpAddr = "192.0.2.1".parse().unwrap();
    assert_eq!(lab.forwarder.names().name_of(ip).as_deref(), Some("name.test"));
    let events = lab.events();
    let [Event::DnsAnswered { transport: "udp", name, record_type, rcode, addresses, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((name.as_str(), record_type.as_str(), rcode.as_str()), ("name.test", "A", "NOERROR"));
    assert_eq!(addresses, &[ip]);
}

#[tokio::test]
async fn the_next_resolver_is_asked() {
    for first in [silent as Script, refusing] {
        let lab = Lab::new(&[first, good]).await;
        let query = query(7, None);
        assert_eq!(lab.ask(&query).await, response(&query, 0, &[a(1)]));
    }
}

#[tokio::test]
async fn no_answer_is_said_to_be_a_failure() {
    for (scripts, expect) in [(&[silent as Script, silent][..], 2), (&[silent, refusing], 5), (&[], 2)] {
        let lab = Lab::new(scripts).await;
        let query = query(7, None);
        let response = lab.ask(&query).await;
        assert_eq!((rcode(&response), &response[..2]), (expect, &query[..2]));
        assert_eq!(lab.events().len(), 1);
    }
}

#[tokio::test]
async fn a_resolver_that_is_not_there_fails_at_once() {
    let unused = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let good = resolver(good).await;
    let config =
        Config { resolvers: vec![unused, good], timeout: Duration::from_secs(60), attempts: 1, max_in_flight: 1 };
    let forwarder = Forwarder::new(config, policy(Mode::Observe), Arc::new(Recorder::default()));
    let query = query(7, None);
    let answer = soon(forwarder.answer(&query, unused, super::Transport::Udp)).await.unwrap();
    assert_eq!(rcode(&answer), 0);
}

#[tokio::test]
async fn what_is_not_the_response_is_not_there() {
    let lab = Lab::new(&[wrong_first]).await;
    let query = query(7, None);
    assert_eq!(lab.ask(&query).await, response(&query, 0, &[a(1)]));
}

#[tokio::test]
async fn a_big_answer_is_cut_over_udp_and_whole_over_tcp() {
    let lab = Lab::new(&[big]).await;
    for (udp_size, expect) in [(None, 30), (Some(1232), 75), (Some(4096), 75)] {
        let cut = lab.ask(&query(7, udp_size)).await;
        assert_eq!((cut[2] & 2, cut[7]), (2, expect), "{udp_size:?}");
    }
    let query = query(7, None);
    assert_eq!(lab.ask_over_tcp(&query).await, big(&query, true)[0]);
}

#[tokio::test]
async fn ways_around_the_proxy_are_removed() {
    let lab = Lab::new(&[https]).await;
    let answer = lab.ask(&query(7, None)).await;
    assert!(answer.ends_with(b"\0\x0a\0\x01\0\0\x01\0\x03\x02h2"), "{answer:?}");
}

#[tokio::test]
async fn the_answer_comes_from_where_the_query_went() {
    for (any, addresses) in [("0.0.0.0:0", ["127.0.0.1", "127.0.0.2"]), ("[::]:0", ["::1", "::1"])] {
        let lab = Lab::with(&[good], 16, any).await;
        for address in addresses {
            let to = SocketAddr::new(address.parse().unwrap(), lab.udp.port());
            assert_eq!(rcode(&exchange(&query(7, None), to).await), 0, "{to}");
        }
    }
}

#[tokio::test]
async fn queries_on_one_connection_are_answered_each() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    /// Drops the very first query, so that the second is answered first.
    fn slow_start(query: &[u8], over_tcp: bool) -> Vec<Vec<u8>> {
        if SEEN.fetch_add(1, Ordering::Relaxed) == 0 { Vec::new() } else { good(query, over_tcp) }
    }
    let lab = Lab::new(&[slow_start]).await;
    let mut stream = TcpStream::connect(lab.tcp).await.unwrap();
    for id in [1, 2] {
        write_frame(&mut stream, &query(id, None)).await.unwrap();
    }
    stream.shutdown().await.unwrap();
    let mut ids = Vec::new();
    while let Some(answer) = soon(read_frame(&mut stream)).await.unwrap() {
        assert_eq!(rcode(&answer), 0);
        ids.push(answer[1]);
    }
    ids.sort_unstable();
    assert_eq!(ids, [1, 2], "half-closed, and still both are answered");
}

#[tokio::test]
async fn queries_that_cannot_be_forwarded_are_refused_and_reported() {
    let with = |at: usize, value: u8| {
        let mut bytes = query(7, None);
        bytes[at] = value;
        bytes
    };
    let too_large = [query(7, None), vec![0; 5000]].concat();
    for (what, query, expect, reason, name) in [
        ("an update", with(2, 0x28), 4, "not-a-query", None),
        ("two questions", with(5, 2), 1, "malformed", None),
        ("no question", with(5, 0)[..12].to_vec(), 1, "malformed", None),
        ("no end", query(7, None)[..20].to_vec(), 1, "malformed", None),
        ("too large", too_large, 1, "malformed", None),
        ("a zone transfer", with(24, 252), 5, "zone-transfer", Some("name.test".to_owned())),
    ] {
        let lab = Lab::new(&[good]).await;
        assert_eq!(rcode(&lab.ask(&query).await), expect, "{what}");
        assert_eq!(lab.refusals(), [(reason, name, 1)], "{what}");
    }
    for (what, query, reason) in [("no header", vec![0; 5], "malformed"), ("a response", with(2, 0x81), "not-a-query")]
    {
        let lab = Lab::new(&[good]).await;
        assert_eq!(lab.forwarder.answer(&query, lab.udp, super::Transport::Udp).await, None, "{what}");
        assert_eq!(lab.refusals(), [(reason, None, 1)], "{what}");
    }
}

#[tokio::test]
async fn what_the_policy_refuses_never_reaches_a_resolver() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    fn counting(query: &[u8], over_tcp: bool) -> Vec<Vec<u8>> {
        SEEN.fetch_add(1, Ordering::Relaxed);
        good(query, over_tcp)
    }
    let lab = Lab::enforcing(counting).await;
    let mut text = query(7, Some(1232));
    text[24] = 16;
    for answer in [lab.ask(&text).await, lab.ask_over_tcp(&text).await] {
        assert_eq!(rcode(&answer), 5);
        assert!(answer.ends_with(b"\0\x0f\0\x0d\0\x0frecord-type"), "{answer:?}");
    }
    assert_eq!(SEEN.load(Ordering::Relaxed), 0);
    assert_eq!(rcode(&lab.ask(&query(7, None)).await), 0);
    assert_eq!(SEEN.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn nobody_is_asked_about_a_name_that_nothing_may_go_to() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    fn counting(query: &[u8], over_tcp: bool) -> Vec<Vec<u8>> {
        SEEN.fetch_add(1, Ordering::Relaxed);
        good(query, over_tcp)
    }
    let lab = Lab::of(watch::channel(Arc::new(Policy::new(Mode::Enforce))).1, &[counting], 16, "127.0.0.1:0").await;
    let mut other = query(7, Some(1232));
    other[24] = 28;
    let stand_in = [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4][..], &STAND_IN.octets()].concat();
    for udp_size in [None, Some(1232)] {
        let query = query(7, udp_size);
        let answer = lab.ask(&query).await;
        assert_eq!((rcode(&answer), &answer[27..43]), (0, &stand_in[..]), "{answer:?}");
        let answer = lab.ask_over_tcp(&other).await;
        assert_eq!((rcode(&answer), answer[7]), (0, 0), "{answer:?}");
    }
    assert_eq!(SEEN.load(Ordering::Relaxed), 0);
    assert!(lab.forwarder.names().gave("name.test", STAND_IN.into()));
}

#[tokio::test]
async fn a_resolver_is_told_nothing_but_the_question_and_the_child_does_not_notice() {
    fn bare(query: &[u8], over_tcp: bool) -> Vec<Vec<u8>> {
        let expect = [&b"\x01\0\0\x01\0\0\0\0\0\x01\x04name\x04test\0\0\x01\0\x01"[..], &BARE_OPTIONS].concat();
        if query[2..] == expect { good(query, over_tcp) } else { refusing(query, over_tcp) }
    }
    const BARE_OPTIONS: [u8; 11] = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];
    let lab = Lab::enforcing(bare).await;
    let mut query = query(7, Some(4096));
    query[13..17].copy_from_slice(b"nAMe");
    // An option that its sender made up, of three bytes.
    let length = query.len() - 1;
    query[length] = 7;
    query.extend_from_slice(b"\xfd\xe9\0\x03abc");
    assert_eq!(lab.ask(&query).await, response(&query, 0, &[a(1)]));
}

#[tokio::test]
async fn a_response_that_is_too_large_is_refused_in_enforce_mode_only() {
    let query = query(7, None);
    let lab = Lab::enforcing(huge).await;
    for answer in [lab.ask(&query).await, lab.ask_over_tcp(&query).await] {
        assert_eq!((rcode(&answer), answer.len()), (5, query.len()));
    }
    lab.forwarder.end();
    let reported = lab.refusals();
    assert!(reported.iter().all(|refusal| refusal.0 == "answer-size"), "{reported:?}");
    assert_eq!((lab.events().len(), reported.iter().map(|refusal| refusal.2).sum()), (reported.len(), 2));
    assert_eq!(Lab::new(&[huge]).await.ask_over_tcp(&query).await, huge(&query, true)[0]);
    let lab = Lab::enforcing(big).await;
    assert_eq!(lab.ask_over_tcp(&query).await, big(&query, true)[0], "this one is below the limit");
}

#[tokio::test]
async fn folded_refusals_are_reported_by_themselves_and_at_the_end() {
    let lab = Lab::enforcing(good).await;
    let mut text = query(7, None);
    text[24] = 16;
    for _ in 0..50 {
        assert_eq!(rcode(&lab.ask(&text).await), 5);
    }
    let reported = || lab.refusals().iter().map(|refusal| refusal.2).sum::<u64>();
    let all = async {
        while reported() < 50 {
            lab.events.more.notified().await;
        }
    };
    soon(all).await;
    assert!(lab.refusals().len() < 50, "{:?}", lab.refusals());
    // The interval has just begun: these are folded, and there is no time to wait for.
    for _ in 0..3 {
        lab.ask(&text).await;
    }
    lab.forwarder.end();
    assert_eq!(reported(), 53);
}

#[tokio::test]
async fn more_queries_than_allowed_at_once_fail() {
    let lab = Lab::with(&[good], 0, "127.0.0.1:0").await;
    assert_eq!(rcode(&lab.ask(&query(7, None)).await), 2);
}
