//! Clients that refuse our certificate.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::io::AsyncWriteExt as _;

use super::lab::*;
use super::tls_lab::*;
use crate::engine::event::Event;
use crate::engine::policy::{Mode, OnPinned};

async fn lab(root: &Authority, mode: Mode, on_pinned: Option<OnPinned>) -> Lab {
    let roots = vec![root.der().clone()];
    Lab::with(Origin::default().serve(root).await.0, Setup { mode, on_pinned, roots, ..Setup::default() }).await
}

fn refusals(events: &[Event]) -> Vec<&'static str> {
    let how = |event: &Event| match event {
        Event::ClientRefusedCertificate { host, how, setting, .. } if host == NAME => {
            assert!(!setting.is_empty());
            Some(*how)
        }
        _ => None,
    };
    events.iter().filter_map(how).collect()
}

fn passed_through(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::PassedThrough { host, .. } if host == NAME)).count()
}

/// A client that trusts the origin's authority and not ours.
fn pinning(root: &Authority, version: usize) -> Arc<ClientConfig> {
    Arc::new(client(&[root.der()], VERSIONS[version]))
}

#[tokio::test]
async fn a_client_that_refuses_is_let_through_the_next_time() {
    for version in 0..VERSIONS.len() {
        let root = authority();
        let lab = lab(&root, Mode::Observe, None).await;
        let config = pinning(&root, version);
        shake(&config, NAME, lab.tcp().await).await.unwrap_err();
        exchange(&lab, &config, NAME).await;
        exchange(&lab, &config, NAME).await;
        let events = lab.finish().await;
        assert_eq!(refusals(&events), ["alert unknown_ca"]);
        assert_eq!(passed_through(&events), 2);
    }
}

#[tokio::test]
async fn refusing_stays_refused_where_the_policy_says_so() {
    for (mode, on_pinned) in [(Mode::Enforce, None), (Mode::Observe, Some(OnPinned::Refuse))] {
        let root = authority();
        let lab = lab(&root, mode, on_pinned).await;
        for _ in 0..3 {
            shake(&pinning(&root, 1), NAME, lab.tcp().await).await.unwrap_err();
        }
        // Others are served as before.
        exchange(&lab, &Arc::new(client(&[&lab.root], NEW)), NAME).await;
        let events = lab.finish().await;
        assert_eq!((refusals(&events).len(), passed_through(&events)), (1, 0));
    }
}

#[tokio::test]
async fn enforcing_lets_through_if_it_is_told_to() {
    let root = authority();
    let lab = lab(&root, Mode::Enforce, Some(OnPinned::Passthrough)).await;
    shake(&pinning(&root, 1), NAME, lab.tcp().await).await.unwrap_err();
    exchange(&lab, &pinning(&root, 1), NAME).await;
    assert_eq!(passed_through(&lab.finish().await), 1);
}

/// Finishes the handshake and is gone; returns when the proxy has noticed.
async fn hang_up(lab: &Lab, config: &Arc<ClientConfig>) {
    let mut tcp = shake(config, NAME, lab.tcp().await).await.unwrap().into_inner().0;
    tcp.shutdown().await.unwrap();
    drain(&mut tcp).await;
}

async fn drain(tcp: &mut tokio::net::TcpStream) {
    let mut rest = Vec::new();
    drop(tokio::io::AsyncReadExt::read_to_end(tcp, &mut rest).await);
}

#[tokio::test]
async fn hanging_up_after_the_handshake_is_a_refusal_the_second_time() {
    let root = authority();
    let lab = lab(&root, Mode::Observe, None).await;
    let config = Arc::new(client(&[&lab.root], EITHER));
    hang_up(&lab, &config).await;
    exchange(&lab, &config, NAME).await;
    for _ in 0..2 {
        // A session that is resumed would be no refusal.
        hang_up(&lab, &Arc::new(client(&[&lab.root], EITHER))).await;
    }
    exchange(&lab, &pinning(&root, 1), NAME).await;
    let events = lab.finish().await;
    assert_eq!((refusals(&events), passed_through(&events)), (vec!["hung up"], 1));
}

#[tokio::test]
async fn saying_goodbye_is_no_refusal() {
    let root = authority();
    let lab = lab(&root, Mode::Observe, None).await;
    for _ in 0..3 {
        let config = Arc::new(client(&[&lab.root], NEW));
        let mut tls = shake(&config, NAME, lab.tcp().await).await.unwrap();
        tls.shutdown().await.unwrap();
        drain(&mut tls.into_inner().0).await;
    }
    assert!(refusals(&lab.finish().await).is_empty());
}

#[tokio::test]
async fn refusing_a_bad_certificate_pins_nothing() {
    let root = authority();
    let lab = Lab::new(Origin::default().serve(&root).await.0, None).await;
    for _ in 0..3 {
        lab.tls(&[], false).await.unwrap_err();
    }
    let events = lab.finish().await;
    assert_eq!((refusals(&events).len(), passed_through(&events)), (0, 0));
}
