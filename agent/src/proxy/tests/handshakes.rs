//! Handshakes of every shape, on both sides: versions, resumption, key exchange, fragments, names.

use std::sync::Arc;

use rustls::HandshakeKind::{Full, Resumed};
use rustls::NamedGroup::{X25519, X25519MLKEM768};
use rustls::crypto::aws_lc_rs::kx_group;

use super::lab::*;
use super::tls_lab::*;
use crate::engine::event::Event;

fn verified(events: &[Event]) -> Vec<bool> {
    let verified = |event: &Event| match event {
        Event::TlsIntercepted { verified, .. } => Some(*verified),
        _ => None,
    };
    events.iter().filter_map(verified).collect()
}

#[tokio::test]
async fn each_side_speaks_the_version_that_it_can() {
    for (theirs, ours) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let root = authority();
        let origin = Origin { versions: VERSIONS[ours], ..Origin::default() };
        let lab = Lab::new(origin.serve(&root).await.0, Some(&root)).await;
        let config = Arc::new(client(&[&lab.root], VERSIONS[theirs]));
        let session = exchange(&lab, &config, NAME).await;
        assert_eq!(session.version, VERSIONS[theirs][0].version);
        assert_eq!(verified(&lab.finish().await), [true]);
    }
}

#[tokio::test]
async fn sessions_are_resumed_on_both_sides() {
    for versions in VERSIONS {
        let root = authority();
        let (address, noticed) = Origin { versions, ..Origin::default() }.serve(&root).await;
        let lab = Lab::new(address, Some(&root)).await;
        let config = Arc::new(client(&[&lab.root], versions));
        let mut kinds = Vec::new();
        for _ in 0..3 {
            kinds.push(exchange(&lab, &config, NAME).await.kind);
        }
        assert_eq!(kinds, [Full, Resumed, Resumed], "{versions:?}");
        assert_eq!(verified(&lab.finish().await), [true; 3]);
        let kinds: Vec<_> = noticed.lock().unwrap().iter().map(|noticed| noticed.kind).collect();
        assert_eq!(kinds, [Full, Resumed, Resumed], "{versions:?}");
    }
}

#[tokio::test]
async fn a_bad_certificate_stays_bad_when_the_session_with_its_server_is_resumed() {
    for versions in VERSIONS {
        let (address, noticed) = Origin { versions, ..Origin::default() }.serve(&authority()).await;
        let lab = Lab::new(address, None).await;
        for _ in 0..2 {
            exchange_on(lab.tls(&[], true).await.unwrap()).await;
        }
        let config = Arc::new(client(&[&lab.root], versions));
        shake(&config, NAME, lab.tcp().await).await.expect_err("a client that checks must not be fooled");
        assert_eq!(verified(&lab.finish().await), [false; 2]);
        assert_eq!(noticed.lock().unwrap()[1].kind, Resumed, "{versions:?}");
    }
}

#[tokio::test]
async fn a_server_is_offered_post_quantum_key_exchange_if_the_client_offers_it() {
    for (group, name) in [(kx_group::X25519MLKEM768, X25519MLKEM768), (kx_group::X25519, X25519)] {
        let root = authority();
        let (address, noticed) = Origin::default().serve(&root).await;
        let lab = Lab::new(address, Some(&root)).await;
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.kx_groups = vec![group];
        let mut roots = rustls::RootCertStore::empty();
        roots.add(lab.root.clone()).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(NEW)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        assert_eq!(exchange(&lab, &Arc::new(config), NAME).await.group, name);
        assert_eq!(noticed.lock().unwrap()[0].group, name);
    }
}

#[tokio::test]
async fn a_hello_in_many_segments_or_records_is_read() {
    let root = authority();
    let lab = Lab::new(Origin::default().serve(&root).await.0, Some(&root)).await;
    for versions in VERSIONS {
        let mut config = client(&[&lab.root], versions);
        config.max_fragment_size = Some(32);
        let config = Arc::new(config);
        exchange_on(shake(&config, NAME, lab.tcp().await).await.unwrap()).await;
        let tcp = lab.tcp().await;
        tcp.set_nodelay(true).unwrap();
        exchange_on(shake(&config, NAME, Trickle(tcp)).await.unwrap()).await;
    }
}

#[tokio::test]
async fn a_server_without_a_name_is_known_by_its_address() {
    let root = authority();
    let lab = Lab::new(Origin::default().serve(&root).await.0, Some(&root)).await;
    let config = Arc::new(client(&[&lab.root], EITHER));
    exchange(&lab, &config, "127.0.0.1").await;
    let events = lab.finish().await;
    let nameless = |event: &Event| matches!(event, Event::TlsIntercepted { sni: None, verified: true, .. });
    assert!(events.iter().any(nameless), "{events:?}");
}

#[tokio::test]
async fn a_certificate_of_another_name_is_shown_as_it_is() {
    let root = authority();
    let origin = Origin { names: &["other.example"], ..Origin::default() };
    let lab = Lab::new(origin.serve(&root).await.0, Some(&root)).await;
    let config = Arc::new(client(&[&lab.root], NEW));
    let error = shake(&config, NAME, lab.tcp().await).await.unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    exchange_on(lab.tls(&[], true).await.unwrap()).await;
    assert_eq!(verified(&lab.finish().await), [false]);
}

#[tokio::test]
async fn a_protocol_that_is_not_http_is_relayed_decrypted() {
    let root = authority();
    let lab = Lab::new(Origin::default().greet(&root, "220 ready\r\n").await, Some(&root)).await;
    let config = Arc::new(client(&[&lab.root], NEW));
    let mut tls = shake(&config, NAME, lab.tcp().await).await.unwrap();
    let mut heard = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut tls, &mut heard).await.unwrap();
    assert_eq!(heard, "220 ready\r\n");
    drop(tls);
    assert!(lab.finish().await.iter().any(|event| matches!(event, Event::Relayed { .. })));
}
