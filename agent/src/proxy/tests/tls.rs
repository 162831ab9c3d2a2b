//! TLS: protocols, names and defects as the server has them.

use http_body_util::BodyExt as _;
use rustls::AlertDescription;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::lab::*;
use crate::engine::event::Event;

#[tokio::test]
async fn the_child_is_offered_what_the_server_chose() {
    let table: &[(&[&str], &[&str], Option<&str>)] = &[
        (&["h2", "http/1.1"], &["h2", "http/1.1"], Some("h2")),
        (&["h2", "http/1.1"], &["http/1.1"], Some("http/1.1")),
        (&["http/1.1"], &["h2", "http/1.1"], Some("http/1.1")),
        (&["h2", "http/1.1"], &[], None),
        (&[], &["h2"], None),
    ];
    for (client, server, chosen) in table {
        let root = authority();
        let lab = Lab::new(https(&root, server).await, Some(&root)).await;
        let tls = lab.tls(client, false).await.unwrap();
        let alpn = tls.get_ref().1.alpn_protocol().map(|alpn| String::from_utf8_lossy(alpn).into_owned());
        assert_eq!(alpn.as_deref(), *chosen);
        drop(tls);
        assert_eq!(lab.names(), [NAME]);
        let events = lab.finish().await;
        assert!(events.iter().any(|event| matches!(event, Event::TlsIntercepted { verified: true, .. })), "{events:?}");
    }
}

#[tokio::test]
async fn a_bad_server_certificate_is_shown_as_bad() {
    let stranger = authority();
    let lab = Lab::new(https(&stranger, &["http/1.1"]).await, None).await;
    lab.tls(&["http/1.1"], false).await.expect_err("a client that checks must not be fooled");
    let mut trusting = lab.tls(&["http/1.1"], true).await.unwrap();
    trusting.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut response = String::new();
    trusting.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let events = lab.finish().await;
    assert!(events.iter().any(|event| matches!(event, Event::TlsIntercepted { verified: false, .. })));
    let blamed = |event: &Event| matches!(event, Event::ConnectionFailed { side: "downstream", .. });
    assert!(events.iter().any(blamed), "{events:?}");
}

#[tokio::test]
async fn a_client_without_alpn_speaks_http() {
    let root = authority();
    let lab = Lab::new(https(&root, &[]).await, Some(&root)).await;
    let response = lab.https(&[]).await.send(post(full("hi"), false)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hi");
    let finished = |event: &Event| matches!(event, Event::ExchangeFinished { status: Some(200), .. });
    assert!(lab.finish().await.iter().any(finished));
}

#[tokio::test]
async fn the_servers_alert_reaches_the_child() {
    let root = authority();
    let lab = Lab::new(https(&root, &["http/1.1"]).await, Some(&root)).await;
    let error = lab.tls(&["h2"], false).await.unwrap_err();
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).unwrap();
    assert_eq!(*error, rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol));
}

#[tokio::test]
async fn a_server_that_ends_or_resets_the_handshake_does_so_to_the_child() {
    use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
    for (resets, expected) in [(false, UnexpectedEof), (true, ConnectionReset)] {
        let server = origin(move |mut tcp: TcpStream| async move {
            // All of the ClientHello: what is not read resets the connection.
            drop(tcp.read(&mut [0; 16 * 1024]).await);
            if resets {
                tcp.set_zero_linger().unwrap();
            }
        });
        let lab = Lab::new(server.await, None).await;
        assert_eq!(lab.tls(&["h2"], false).await.unwrap_err().kind(), expected);
    }
}

#[tokio::test]
async fn a_server_that_refuses_tcp_resets_the_child() {
    let lab = Lab::new(nobody().await, None).await;
    let error = lab.tls(&["h2"], false).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}
