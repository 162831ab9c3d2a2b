//! HTTP: bytes, order, ends and failures as the other side meant them.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::lab::*;
use crate::engine::event::Event;
use crate::engine::policy::{Carrier, Mode};

async fn read_head(tcp: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn bodies_and_trailers_stream_both_ways_at_once() {
    over_both(async |carrier| {
        for alpn in ["h2", "http/1.1"] {
            let root = authority();
            let lab = Lab::over(carrier, https(&root, &[alpn]).await, Some(&root)).await;
            let mut client = lab.https(&[alpn]).await;
            let (feed, body) = fed();
            let mut request = post(body, alpn == "h2");
            request.headers_mut().insert("te", "trailers".parse().unwrap());
            if alpn != "h2" {
                request.headers_mut().insert("trailer", "x-end".parse().unwrap());
            }
            let mut response = client.send(request).await.unwrap();
            // Each piece must have come back before the next is sent.
            for piece in ["one", "two"] {
                feed.send(Frame::data(Bytes::from(piece))).await.unwrap();
                assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), piece);
            }
            let trailers = HeaderMap::from_iter([("x-end".parse().unwrap(), "yes".parse().unwrap())]);
            feed.send(Frame::trailers(trailers)).await.unwrap();
            drop(feed);
            // The echoing HTTP/1.1 origin does not announce trailers, so hyper there leaves them out.
            let last = response.frame().await;
            assert!(alpn != "h2" || last.unwrap().unwrap().trailers_ref().unwrap()["x-end"] == "yes");
            drop(client);
            let bytes = |event: &Event| {
                matches!(event, Event::ExchangeFinished { request_bytes: 6, response_bytes: 6, error: None, .. })
            };
            let events = lab.finish().await;
            assert_eq!(events.iter().filter(|event| bytes(event)).count(), 1, "{events:?}");
        }
    })
    .await;
}

/// Requests and what a server answered to them.
const HTTP1: &[(&str, &str)] = &[
    (
        "POST /p?q=%20 HTTP/1.1\r\nHOST: h.example\r\nX-CamelCase: 1\r\nTE: trailers\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 299 Odd Reason\r\nX-Up: a\r\nx-down: b\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n",
    ),
    ("HEAD / HTTP/1.1\r\nHost: h.example\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    ("GET / HTTP/1.1\r\nHost: h.example\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"),
    ("DELETE / HTTP/1.1\r\nHost: h.example\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"),
    ("PUT / HTTP/1.1\r\nHost: h.example\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("GET http://h.example/ HTTP/1.1\r\nHost: h.example\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1"),
    ("GET / HTTP/1.0\r\nHost: h.example\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end"),
];

/// Answers if it hears `request`, and else says what it heard.
async fn answer(mut tcp: TcpStream, request: &str, response: &str) {
    let mut heard = vec![0; request.len()];
    tcp.read_exact(&mut heard).await.unwrap();
    let answer = if heard == request.as_bytes() { response.as_bytes() } else { &heard };
    tcp.write_all(answer).await.unwrap();
}

#[tokio::test]
async fn http1_passes_byte_for_byte() {
    over_both(async |carrier| {
        for (request, response) in HTTP1 {
            let origin = origin(move |tcp| answer(tcp, request, response)).await;
            let lab = Lab::over(carrier, origin, None).await;
            let mut tcp = lab.tcp().await;
            tcp.write_all(request.as_bytes()).await.unwrap();
            tcp.shutdown().await.unwrap();
            let mut heard = String::new();
            tcp.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard, *response);
            assert_eq!(lab.names(), ["h.example"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_dead_server_is_named_in_a_502() {
    over_both(async |carrier| {
        let origin = nobody().await;
        let lab = Lab::over(carrier, origin, None).await;
        let response = lab.http().await.send(post(full("x"), false)).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, format!("agent: upstream {} refused the connection\n", lab.address));
        let failed = |event: &Event| matches!(event, Event::ExchangeFinished { status: Some(502), error: Some(_), .. });
        assert!(lab.finish().await.iter().any(failed));
    })
    .await;
}

#[tokio::test]
async fn a_body_that_breaks_off_does_not_end_cleanly() {
    over_both(async |carrier| {
        for head in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
            let origin = origin(move |mut tcp: TcpStream| async move {
                read_head(&mut tcp).await;
                tcp.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n3\r\nab").as_bytes()).await.unwrap();
            })
            .await;
            let lab = Lab::over(carrier, origin, None).await;
            let response = lab.http().await.send(post(full(""), false)).await.unwrap();
            response.into_body().collect().await.expect_err("the body looked whole");
            let failed =
                |event: &Event| matches!(event, Event::ExchangeFinished { status: Some(200), error: Some(_), .. });
            assert!(lab.finish().await.iter().any(failed));
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_that_breaks_in_its_body_is_answered_and_does_not_end_cleanly() {
    over_both(async |carrier| {
        let (heard, mut end) = tokio::sync::mpsc::channel(1);
        let origin = origin(move |mut tcp| {
            let heard = heard.clone();
            async move {
                let mut all = Vec::new();
                drop(tcp.read_to_end(&mut all).await);
                heard.send(all).await.unwrap();
            }
        })
        .await;
        let lab = Lab::over(carrier, origin, None).await;
        let mut tcp = lab.tcp().await;
        let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        tcp.write_all(format!("{head}1\r\na\r\n2\nsmuggled").as_bytes()).await.unwrap();
        assert!(read_head(&mut tcp).await.starts_with("HTTP/1.1 400 "));
        tcp.read_to_end(&mut Vec::new()).await.unwrap();
        drop(tcp);
        let heard = String::from_utf8(end.recv().await.unwrap()).unwrap();
        assert!(!heard.ends_with("0\r\n\r\n") && !heard.contains("smuggled"), "{heard:?}");
        let refused = |event: &Event| matches!(event, Event::MessageRefused { .. });
        assert_eq!(lab.finish().await.iter().filter(|event| refused(event)).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_ends_without_a_word_is_not_waited_for() {
    let root = authority();
    let acceptor = acceptor(&root, &["http/1.1"]);
    let origin = origin(move |tcp| {
        let acceptor = acceptor.clone();
        async move {
            let mut tls = acceptor.accept(tcp).await.unwrap();
            assert!(tls.read(&mut [0; 100]).await.unwrap() > 0);
            tls.write_all(b"HTTP/1.1 200 OK\r\n\r\nall").await.unwrap();
            tls.flush().await.unwrap();
            let (mut tcp, _) = tls.into_inner();
            tcp.shutdown().await.unwrap();
            drop(tcp.read_to_end(&mut Vec::new()).await);
        }
    })
    .await;
    let lab = Lab::over(Carrier::Verbatim, origin, Some(&root)).await;
    let mut tls = lab.tls(&["http/1.1"], false).await.unwrap();
    tls.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(1), tls.read_to_end(&mut heard)).await.unwrap();
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(heard.ends_with(b"all"));
}

#[tokio::test]
async fn a_refused_tunnel_leaves_its_connection_as_it_is() {
    over_both(async |carrier| {
        let setup = Setup { carrier, mode: Mode::Enforce, ..Setup::default() };
        let lab = Lab::with(origin(|tcp| serve_echo(Box::new(tcp), false)).await, setup).await;
        let mut client = lab.http().await;
        for (request, status) in [
            (Request::connect("a.example:443").body(full("")).unwrap(), StatusCode::FORBIDDEN),
            (post(full("hi"), false), StatusCode::OK),
        ] {
            let response = client.send(request).await.unwrap();
            assert_eq!(response.status(), status);
            response.into_body().collect().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_closes_between_requests_is_dialled_again() {
    let origin = origin(async |mut tcp| {
        read_head(&mut tcp).await;
        tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    })
    .await;
    let lab = Lab::over(Carrier::Terminate, origin, None).await;
    let mut client = lab.http().await;
    for _ in 0..2 {
        let response = client.send(Request::get("/").body(full("")).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body().collect().await.unwrap();
    }
}

#[tokio::test]
async fn a_child_that_gives_up_cancels_the_request() {
    over_both(async |carrier| {
        let (cancelled, mut observed) = tokio::sync::mpsc::channel::<()>(1);
        let origin = origin(move |mut tcp| {
            let cancelled = cancelled.clone();
            async move {
                read_head(&mut tcp).await;
                tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na").await.unwrap();
                drop(tcp.read_to_end(&mut Vec::new()).await);
                cancelled.send(()).await.unwrap();
            }
        })
        .await;
        let lab = Lab::over(carrier, origin, None).await;
        let mut tcp = lab.tcp().await;
        tcp.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        tcp.read_u8().await.unwrap();
        tcp.set_zero_linger().unwrap();
        drop(tcp);
        observed.recv().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_upgrade_joins_both_sides() {
    over_both(async |carrier| {
        let origin = origin(async |mut tcp| {
            read_head(&mut tcp).await;
            tcp.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: parrot\r\n\r\n")
                .await
                .unwrap();
            let (mut read, mut write) = tcp.split();
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        })
        .await;
        let lab = Lab::over(carrier, origin, None).await;
        let request = Request::get("/").header("connection", "upgrade").header("upgrade", "parrot");
        let response = lab.http().await.send(request.body(full("")).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let mut io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
        io.write_all(b"hello").await.unwrap();
        io.shutdown().await.unwrap();
        let mut echoed = String::new();
        io.read_to_string(&mut echoed).await.unwrap();
        assert_eq!(echoed, "hello");
        let counted =
            |event: &Event| matches!(event, Event::ExchangeFinished { request_bytes: 5, response_bytes: 5, .. });
        assert!(lab.finish().await.iter().any(counted));
    })
    .await;
}

#[tokio::test]
async fn a_child_that_ended_its_side_gets_a_whole_large_response() {
    over_both(async |carrier| {
        const BODY: usize = 8 << 20;
        let origin = origin(async |mut tcp| {
            read_head(&mut tcp).await;
            tcp.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n").as_bytes()).await.unwrap();
            tcp.write_all(&vec![7; BODY]).await.unwrap();
        })
        .await;
        let lab = Lab::over(carrier, origin, None).await;
        let mut tcp = lab.tcp().await;
        tcp.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        tcp.shutdown().await.unwrap();
        read_head(&mut tcp).await;
        let mut body = Vec::new();
        tcp.read_to_end(&mut body).await.unwrap();
        assert_eq!(body.len(), BODY);
    })
    .await;
}

#[tokio::test]
async fn h2_without_tls_is_carried_and_drained_while_idle() {
    over_both(async |carrier| {
        let lab = Lab::over(carrier, origin(|tcp| serve_echo(Box::new(tcp), true)).await, None).await;
        let mut client = lab.h2c().await;
        let response = client.send(Request::post("http://h.example/").body(full("hi")).unwrap()).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hi");
        assert_eq!(lab.names(), ["h.example"]);
        let url = |event: &Event| matches!(event, Event::ExchangeStarted { url, .. } if url == "http://h.example/");
        assert!(lab.finish().await.iter().any(url));
    })
    .await;
}

#[tokio::test]
async fn a_reset_stream_keeps_its_code_and_its_neighbours() {
    over_both(async |carrier| {
        let root = authority();
        let lab = Lab::over(carrier, https(&root, &["h2"]).await, Some(&root)).await;
        let mut client = lab.https(&["h2"]).await;
        let (feed, body) = fed();
        let mut neighbour = client.send(post(body, true)).await.unwrap();
        let calm = Request::get(format!("https://{NAME}/calm")).body(full("")).unwrap();
        let error = client.send(calm).await.unwrap_err();
        let reason = crate::proxy::error::find::<h2::Error>(&error).unwrap().reason();
        assert_eq!(reason, Some(h2::Reason::ENHANCE_YOUR_CALM));
        feed.send(Frame::data(Bytes::from("still here"))).await.unwrap();
        assert_eq!(neighbour.frame().await.unwrap().unwrap().into_data().unwrap(), "still here");
    })
    .await;
}

#[tokio::test]
async fn a_response_before_the_end_of_its_request_arrives_whole() {
    over_both(async |carrier| {
        let answer = async |tcp| {
            let mut connection = h2::server::handshake(tcp).await.unwrap();
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            respond.send_response(http::Response::new(()), true).unwrap();
            // h2 then resets the stream with NO_ERROR.
            drop((request, respond));
            while connection.accept().await.is_some() {}
        };
        let lab = Lab::over(carrier, origin(answer).await, None).await;
        let mut client = lab.h2c().await;
        let (_feed, body) = fed();
        let response = client.send(Request::post("http://h.example/").body(body).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "");
    })
    .await;
}

#[tokio::test]
async fn enforcing_lets_a_websocket_pass_over_http2() {
    over_both(async |carrier| {
        let answer = async |tcp| {
            let mut connection = h2::server::Builder::new().enable_connect_protocol().handshake(tcp).await.unwrap();
            let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
            let mut body: h2::SendStream<Bytes> = respond.send_response(http::Response::new(()), false).unwrap();
            body.send_data(Bytes::from("open"), true).unwrap();
            while connection.accept().await.is_some() {}
        };
        let setup = Setup { carrier, mode: Mode::Enforce, ..Setup::default() };
        let lab = Lab::with(origin(answer).await, setup).await;
        let (mut sender, driver) = h2::client::handshake(lab.tcp().await).await.unwrap();
        tokio::spawn(driver);
        while !sender.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
        let mut request = Request::connect("http://h.example/chat").body(()).unwrap();
        request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
        let (response, _upload) = sender.send_request(request, false).unwrap();
        assert_eq!(response.await.unwrap().status(), StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn more_children_than_slots_are_all_served() {
    over_both(async |carrier| {
        let lab = Lab::over(carrier, origin(|tcp| serve_echo(Box::new(tcp), false)).await, None).await;
        let asking = (0..200).map(async |_| {
            let response = lab.http().await.send(post(full("hi"), false)).await.unwrap();
            response.into_body().collect().await.unwrap().to_bytes()
        });
        let answers = futures_util::future::join_all(asking).await;
        assert!(answers.iter().all(|answer| answer == "hi"));
    })
    .await;
}

/// Says when a request has come, and when it was cancelled.
async fn observe(tcp: TcpStream, observed: tokio::sync::mpsc::Sender<()>) {
    let mut connection = h2::server::handshake(tcp).await.unwrap();
    let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
    tokio::spawn(async move { while connection.accept().await.is_some() {} });
    observed.send(()).await.unwrap();
    let reason = std::future::poll_fn(|cx| respond.poll_reset(cx)).await.unwrap();
    assert_eq!(reason, h2::Reason::CANCEL);
    observed.send(()).await.unwrap();
}

#[tokio::test]
async fn an_h2_stream_given_up_is_reset_upstream() {
    over_both(async |carrier| {
        let (seen, mut observed) = tokio::sync::mpsc::channel(2);
        let lab = Lab::over(carrier, origin(move |tcp| observe(tcp, seen.clone())).await, None).await;
        let mut client = lab.h2c().await;
        let request = Request::get("http://h.example/").body(full("")).unwrap();
        tokio::select! {
            _ = client.send(request) => panic!("answered"),
            seen = observed.recv() => seen.unwrap(),
        }
        observed.recv().await.unwrap();
    })
    .await;
}
