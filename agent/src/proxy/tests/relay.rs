//! What is not read: relays, and connections that are refused.

use std::io::ErrorKind;

use agent_common::maps::Verdict;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::lab::*;
use crate::engine::event::Event;
use crate::engine::policy::Mode;

/// Answers what it was sent once the client has ended its side.
async fn parrot() -> std::net::SocketAddr {
    origin(async |mut tcp| {
        let mut heard = Vec::new();
        tcp.read_to_end(&mut heard).await.unwrap();
        tcp.write_all(&heard).await.unwrap();
    })
    .await
}

async fn is_reset(lab: &Lab) {
    let mut tcp = lab.tcp().await;
    let written = tcp.write_all(b"\x00hello").await;
    let error = written.and(tcp.read_u8().await.map(drop)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error:?}");
}

#[tokio::test]
async fn a_half_close_is_passed_on() {
    for verdict in [Verdict::Relay, Verdict::Intercept] {
        let lab = Lab::with(parrot().await, Setup { verdict: Some(verdict), ..Setup::default() }).await;
        let mut tcp = lab.tcp().await;
        tcp.write_all(b"\x00 neither").await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut echoed = Vec::new();
        tcp.read_to_end(&mut echoed).await.unwrap();
        assert_eq!(echoed, b"\x00 neither");
        assert!(lab.finish().await.iter().any(|event| matches!(event, Event::Relayed { .. })));
    }
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard() {
    let banner = origin(async |mut tcp| tcp.write_all(b"220 ready\r\n").await.unwrap()).await;
    let lab = Lab::new(banner, None).await;
    let mut heard = String::new();
    lab.tcp().await.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "220 ready\r\n");
}

#[tokio::test]
async fn a_reset_is_passed_on() {
    let lab = Lab::new(origin(async |tcp| tcp.set_zero_linger().unwrap()).await, None).await;
    is_reset(&lab).await;
}

#[tokio::test]
async fn enforcing_refuses_what_it_cannot_read() {
    let lab = Lab::with(parrot().await, Setup { mode: Mode::Enforce, ..Setup::default() }).await;
    is_reset(&lab).await;
    assert!(lab.finish().await.iter().any(|event| matches!(event, Event::RelayRefused { .. })));
}

#[tokio::test]
async fn a_connection_without_a_flow_is_reset() {
    let lab = Lab::with(parrot().await, Setup { verdict: None, ..Setup::default() }).await;
    is_reset(&lab).await;
    assert!(matches!(lab.finish().await[..], [Event::FlowUnknown { .. }]));
}

#[tokio::test]
async fn a_forbidden_address_is_not_dialled() {
    let lab = Lab::with(parrot().await, Setup { open: false, ..Setup::default() }).await;
    is_reset(&lab).await;
    let refused = |event: &Event| matches!(event, Event::UpstreamRefused { reason: "loopback", .. });
    assert_eq!(lab.finish().await.iter().filter(|event| refused(event)).count(), 1);
}
