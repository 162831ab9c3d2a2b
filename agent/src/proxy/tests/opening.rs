//! Who speaks first, and when.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::lab::*;
use super::tls_lab::*;
use crate::engine::event::Event;
use crate::engine::policy::Mode;

/// Longer than any test: whoever waits for it fails.
const FOREVER: Duration = Duration::from_secs(3600);
/// Over at once.
const NOTHING: Duration = Duration::from_millis(1);

/// An HTTP origin that counts its connections and says when it has one.
async fn counting() -> (SocketAddr, Arc<AtomicUsize>, mpsc::UnboundedReceiver<()>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let (said, came) = mpsc::unbounded_channel();
    let address = origin(move |tcp| {
        counted.fetch_add(1, Ordering::Relaxed);
        said.send(()).unwrap();
        serve_echo(Box::new(tcp), false)
    })
    .await;
    (address, count, came)
}

async fn with(origin: SocketAddr, mode: Mode, patience: Duration) -> Lab {
    Lab::with(origin, Setup { mode, patience, ..Setup::default() }).await
}

fn exchanged(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::ExchangeFinished { status: Some(200), .. }))
}

#[tokio::test]
async fn a_server_that_speaks_first_is_not_waited_for() {
    let banner = origin(async |mut tcp| tcp.write_all(b"220 ready\r\n").await.unwrap()).await;
    let lab = with(banner, Mode::Observe, FOREVER).await;
    let mut heard = String::new();
    lab.tcp().await.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "220 ready\r\n");
    assert!(lab.finish().await.iter().any(|event| matches!(event, Event::Relayed { .. })));
}

#[tokio::test]
async fn a_client_that_speaks_late_is_read_and_its_server_dialled_once() {
    over_both(async |carrier| {
        let (address, count, mut came) = counting().await;
        let lab = Lab::with(address, Setup { carrier, patience: NOTHING, ..Setup::default() }).await;
        let tcp = lab.tcp().await;
        came.recv().await.unwrap();
        let response = Client::new(Box::new(tcp), false).await.send(post(full("hi"), false)).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hi");
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert!(exchanged(&lab.finish().await));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_speaks_just_as_its_server_is_dialled_has_one_connection() {
    let (origin, count, _came) = counting().await;
    let client: Arc<OnceLock<std::net::TcpStream>> = Arc::default();
    let (speaking, times) = (Arc::clone(&client), AtomicUsize::new(0));
    // The address is asked for to be checked, to be checked again, and to be dialled.
    let asked: Hook = Box::new(move || {
        if times.fetch_add(1, Ordering::Relaxed) == 2 {
            speaking.get().unwrap().write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
        }
    });
    let lab = Lab::with(origin, Setup { asked: Some(asked), patience: FOREVER, ..Setup::default() }).await;
    let tcp = std::net::TcpStream::connect(lab.address).unwrap();
    tcp.set_nonblocking(true).unwrap();
    client.set(tcp.try_clone().unwrap()).unwrap();
    let mut answer = [0; 12];
    tokio::net::TcpStream::from_std(tcp).unwrap().read_exact(&mut answer).await.unwrap();
    assert_eq!((&answer, count.load(Ordering::Relaxed)), (b"HTTP/1.1 200", 1));
}

#[tokio::test]
async fn enforcing_dials_nobody_before_the_client_has_spoken() {
    let (address, count, mut came) = counting().await;
    let lab = with(address, Mode::Enforce, NOTHING).await;
    let silent = lab.tcp().await;
    // Another connection takes its whole way in the meantime.
    lab.http().await.send(post(full("hi"), false)).await.unwrap();
    came.recv().await.unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 1);
    let response = Client::new(Box::new(silent), false).await.send(post(full("hi"), false)).await.unwrap();
    assert_eq!(response.status(), 200);
    drop(response);
    lab.finish().await;
}

#[tokio::test]
async fn a_client_that_speaks_late_inside_tls_is_read() {
    for mode in [Mode::Observe, Mode::Enforce] {
        let root = authority();
        let roots = vec![root.der().clone()];
        let setup = Setup { mode, patience: NOTHING, roots, ..Setup::default() };
        let lab = Lab::with(Origin::default().serve(&root).await.0, setup).await;
        let config = Arc::new(client(&[&lab.root], NEW));
        let silent = shake(&config, NAME, lab.tcp().await).await.unwrap();
        exchange(&lab, &config, NAME).await;
        exchange_on(silent).await;
        let events = lab.finish().await;
        assert_eq!(events.iter().filter(|event| matches!(event, Event::ExchangeFinished { .. })).count(), 2);
    }
}

#[tokio::test]
async fn enforcing_relays_no_server_that_speaks_first() {
    let root = authority();
    let setup = Setup { mode: Mode::Enforce, roots: vec![root.der().clone()], ..Setup::default() };
    let lab = Lab::with(Origin::default().greet(&root, "220 ready\r\n").await, setup).await;
    let config = Arc::new(client(&[&lab.root], NEW));
    let mut tls = shake(&config, NAME, lab.tcp().await).await.unwrap();
    tls.read_u8().await.unwrap_err();
    assert!(lab.finish().await.iter().any(|event| matches!(event, Event::RelayRefused { .. })));
}

#[tokio::test]
async fn enforcing_passes_on_an_end_without_a_word() {
    let root = authority();
    let setup = Setup { mode: Mode::Enforce, roots: vec![root.der().clone()], ..Setup::default() };
    let lab = Lab::with(Origin::default().greet(&root, "").await, setup).await;
    let config = Arc::new(client(&[&lab.root], NEW));
    let mut tls = shake(&config, NAME, lab.tcp().await).await.unwrap();
    assert_eq!(tls.read(&mut [0]).await.unwrap(), 0);
    drop((tls, lab.tcp().await));
    assert!(!lab.finish().await.iter().any(|event| matches!(event, Event::RelayRefused { .. })));
}

#[tokio::test]
async fn an_end_of_the_server_reaches_a_client_that_has_not_spoken() {
    let lab = with(origin(async |tcp| drop(tcp)).await, Mode::Observe, FOREVER).await;
    assert_eq!(lab.tcp().await.read(&mut [0]).await.unwrap(), 0);
    lab.finish().await;
}

#[tokio::test]
async fn a_client_that_stays_silent_ends_with_the_session() {
    for mode in [Mode::Observe, Mode::Enforce] {
        let (address, ..) = counting().await;
        let lab = with(address, mode, FOREVER).await;
        let mut silent = lab.tcp().await;
        lab.finish().await;
        drop(silent.read(&mut [0]).await);
    }
}

#[tokio::test]
async fn a_word_that_is_not_finished_is_relayed_after_a_pause() {
    let parrot = origin(async |mut tcp| {
        let mut heard = [0; 4];
        tcp.read_exact(&mut heard).await.unwrap();
        tcp.write_all(&heard).await.unwrap();
    });
    let lab = with(parrot.await, Mode::Observe, NOTHING).await;
    let mut tcp = lab.tcp().await;
    tcp.write_all(b"PING").await.unwrap();
    let mut heard = String::new();
    tcp.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "PING");
}
