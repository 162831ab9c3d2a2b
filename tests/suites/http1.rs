//! HTTP/1 as RFC 9110 and RFC 9112 have it, over both carriers: what one end sends, byte for byte, is what the other
//! gets. Where the terminating carrier says the same in other bytes, the case is `terminate_alike`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use serde_json::json;
use tests::play::{CARRIERS, Case, Stage, http, https};

const GET: &str = "GET / HTTP/1.1\r\nHost: conform.test\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const POST: &str = "POST / HTTP/1.1\r\nHost: conform.test\r\n";

/// Plays cases over both carriers.
fn play(options: &[&str], cases: &[Case]) {
    let stage = Stage::new();
    for carrier in CARRIERS.iter().rev() {
        let session = stage.session(carrier, options);
        stage.play(&session, carrier, cases);
        session.down();
    }
}

fn request(line: &str, fields: &str) -> String {
    format!("{line}\r\nHost: conform.test\r\n{fields}\r\n")
}

#[test]
fn messages_pass_as_they_are() {
    play(&[], &[connections(), connections_of_hyper(), bodies(), heads(), forms()].concat());
}

fn connections() -> Vec<Case> {
    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let v10 = "GET / HTTP/1.0\r\nHost: conform.test\r\n\r\n";
    let v10_alive = "GET / HTTP/1.0\r\nHost: conform.test\r\nConnection: keep-alive\r\n\r\n";
    let ok10_alive = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok";
    vec![
        https("keep-alive").child(GET).server(OK).child(GET).server(OK).child(GET).server(OK),
        http("keep-alive in plain text").child(GET).server(OK).child(GET).server(OK),
        https("pipelined requests, all at once").only_verbatim().child(GET.repeat(20)).server(OK.repeat(20)),
        https("pipelined requests, one answered after the other")
            .only_verbatim()
            .child(GET.repeat(2))
            .server(OK)
            .child(GET)
            .server(OK)
            .server(OK),
        https("pipelined requests, each sent when the one before is answered")
            .only_terminate()
            .ask(GET.repeat(2))
            .then("sees", json!(["server", GET]))
            .server(OK)
            .then("sees", json!(["server", GET]))
            .server(OK),
        https("the server closes").child(GET).server(close).end_of("server"),
        https("the child asks for the last").child(request("GET / HTTP/1.1", "Connection: close\r\n")).server(close),
        https("HTTP/1.0 without keep-alive").child(v10).server("HTTP/1.0 200 OK\r\n\r\nto the end").end_of("server"),
        https("HTTP/1.0 with keep-alive").child(v10_alive).server(ok10_alive).child(v10_alive).server(ok10_alive),
        https("HTTP/1.0 answered in HTTP/1.1").terminate_alike().child(v10).server(close).end_of("server"),
        https("a body that ends with the connection")
            .only_verbatim()
            .child(GET)
            .server("HTTP/1.1 200 OK\r\n\r\none")
            .server("two")
            .end_of("server"),
        http("the same in plain text")
            .only_verbatim()
            .child(GET)
            .server("HTTP/1.1 200 OK\r\n\r\none")
            .server("two")
            .end_of("server"),
        http("the child has sent all, and is answered")
            .only_verbatim()
            .child(GET)
            .end_of("child")
            .server(OK)
            .end_of("server"),
        https("the child has sent all over TLS, and is answered")
            .only_verbatim()
            .child(GET)
            .end_of("child")
            .server(OK)
            .end_of("server"),
        http("the child goes between requests").child(GET).server(OK).end_of("child"),
        https("the server goes between requests").only_verbatim().child(GET).server(OK).end_of("server"),
        http("the child resets between requests").only_verbatim().child(GET).server(OK).reset_of("child"),
        http("the server resets between requests").only_verbatim().child(GET).server(OK).reset_of("server"),
        http("the child resets a request")
            .only_verbatim()
            .child(format!("{POST}Content-Length: 9\r\n\r\nhalf"))
            .reset_of("child"),
        http("the server resets a request")
            .only_verbatim()
            .child(format!("{POST}Content-Length: 9\r\n\r\nhalf"))
            .then("reset_of", json!(["server"])),
        http("the server resets a response")
            .child(GET)
            .server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            .reset_of("server"),
        http("the child resets a response")
            .only_verbatim()
            .child(GET)
            .server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            .reset_of("child"),
        https("the server resets a response over TLS")
            .child(GET)
            .server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            .reset_of("server"),
        https("the child resets a response over TLS")
            .only_verbatim()
            .child(GET)
            .server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            .reset_of("child"),
        https("a response that is cut short")
            .only_verbatim()
            .child(GET)
            .server("HTTP/1.1 200 OK\r\n\r\nhalf")
            .then("cut_of", json!(["server"])),
        https("a server that has something to say first")
            .only_verbatim()
            .server("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            .end_of("server"),
    ]
}

/// What the terminating carrier does otherwise: hyper has a connection for each side.
fn connections_of_hyper() -> Vec<Case> {
    let part = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
    let case = |name| http(name).only_terminate();
    vec![
        case("a body that ends with the connection is chunked")
            .terminate_alike()
            .child(GET)
            .server("HTTP/1.1 200 OK\r\n\r\none")
            .server("two")
            .then("concluded", json!([])),
        case("a child that has sent all is answered, and the server is not told")
            .child(GET)
            .then("finish_of", json!(["child"]))
            .server(OK),
        case("a server that goes between requests is dialled again")
            .child(GET)
            .server(OK)
            .then("finish_of", json!(["server"]))
            .then("redial", json!([]))
            .child(GET)
            .server(OK),
        case("a child that resets the connection ends it for the server")
            .child(GET)
            .server(OK)
            .then("gone", json!(["child"])),
        case("a child that resets its request leaves it incomplete")
            .child(format!("{POST}Content-Length: 9\r\n\r\nhalf"))
            .then("gone", json!(["child"])),
        case("a child that resets a response ends it for the server")
            .child(GET)
            .server(part)
            .then("gone", json!(["child"])),
        case("a server that resets a request is a bad gateway")
            .child(format!("{POST}Content-Length: 9\r\n\r\nhalf"))
            .then("dies", json!(["server"]))
            .answered("HTTP/1.1 502 "),
    ]
}

fn bodies() -> Vec<Case> {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    let response = format!("HTTP/1.1 200 OK\r\n{chunked}");
    let expect = format!("{POST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    let long = "x".repeat(1000);
    vec![
        https("a body with its length").child(format!("{POST}Content-Length: 4\r\n\r\nbody")).server(OK),
        https("a body in pieces, each before the next")
            .child(format!("{POST}Content-Length: 8\r\n\r\nbo"))
            .child("dy")
            .child("piec")
            .server(OK),
        https("chunks, each before the next")
            .child(format!("{POST}{chunked}"))
            .child("3\r\nabc\r\n")
            .child("2\r\nde\r\n")
            .child("0\r\n\r\n")
            .server(OK),
        https("chunks of a response, each before the next")
            .child(GET)
            .server(&response)
            .server("3\r\nabc\r\n")
            .server("2\r\nde\r\n")
            .server("0\r\n\r\n"),
        https("parts of chunks")
            .only_verbatim()
            .child(GET)
            .server(&response)
            .server("4\r\nab")
            .server("cd")
            .server("\r\n0\r\n")
            .server("\r\n"),
        https("chunk extensions")
            .terminate_alike()
            .child(format!("{POST}{chunked}3;name=value;flag\r\nabc\r\n1;q=\"a;b\"\r\nd\r\n0;last\r\n\r\n"))
            .server(format!("{response}3;name=value\r\nabc\r\n0\r\n\r\n")),
        https("sizes in capitals and with zeros")
            .terminate_alike()
            .child(format!("{POST}{chunked}00A\r\n0123456789\r\n000\r\n\r\n"))
            .server(format!("{response}0B\r\n01234567890\r\n00\r\n\r\n")),
        https("trailers that were announced")
            .terminate_alike()
            .child(format!("{POST}TE: trailers\r\nTrailer: X-Sum\r\n{chunked}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"))
            .server(format!("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n{chunked}3\r\nabc\r\n0\r\nX-Sum: 2\r\n\r\n")),
        https("trailers that were not announced")
            .only_verbatim()
            .child(format!("{POST}{chunked}3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"))
            .server(format!("{response}3\r\nabc\r\n0\r\nX-Sum: 2\r\n\r\n")),
        https("no body, with its length")
            .child(format!("{POST}Content-Length: 0\r\n\r\n"))
            .server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        https("no body, and no length").child(format!("{POST}\r\n")).server("HTTP/1.1 204 No Content\r\n\r\n"),
        https("204").child(GET).server("HTTP/1.1 204 No Content\r\n\r\n").child(GET).server(OK),
        https("304 with the length of what there would be")
            .terminate_alike()
            .child(GET)
            .server("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
            .child(GET)
            .server(OK),
        https("HEAD with a length")
            .child(request("HEAD / HTTP/1.1", ""))
            .server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
            .child(GET)
            .server(OK),
        https("HEAD with chunks announced")
            .terminate_alike()
            .child(request("HEAD / HTTP/1.1", ""))
            .server(&response)
            .child(GET)
            .server(OK),
        https("HEAD without either")
            .child(request("HEAD / HTTP/1.1", ""))
            .server("HTTP/1.1 200 OK\r\n\r\n")
            .child(GET)
            .server(OK),
        https("GET with a body")
            .child(request("GET / HTTP/1.1", "Content-Length: 4\r\n").to_owned() + "body")
            .server(OK),
        https("expected and continued").child(&expect).server("HTTP/1.1 100 Continue\r\n\r\n").child("body").server(OK),
        https("expected and refused")
            .terminate_alike()
            .child(&expect)
            .server("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .end_of("server"),
        https("expected and not waited for").terminate_alike().child(format!("{expect}body")).server(OK),
        https("continued without being asked")
            .only_verbatim()
            .child(GET)
            .server("HTTP/1.1 100 Continue\r\n\r\n")
            .server(OK),
        https("early hints")
            .only_verbatim()
            .child(GET)
            .server("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
            .server("HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n")
            .server(OK),
        https("102 and an unknown 1xx")
            .only_verbatim()
            .child(GET)
            .server("HTTP/1.1 102 Processing\r\n\r\n")
            .server("HTTP/1.1 199 Odd\r\nX: 1\r\n\r\n")
            .server(OK),
        https("a response while the upload goes on")
            .child(format!("{POST}Content-Length: 8\r\n\r\nfirs"))
            .server(OK)
            .child("t ha")
            .child(GET)
            .server(OK),
        https("a response in pieces while the upload goes on")
            .child(format!("{POST}{chunked}"))
            .server(&response)
            .child("1\r\na\r\n")
            .server("1\r\nA\r\n")
            .child("1\r\nb\r\n")
            .server("1\r\nB\r\n")
            .child("0\r\n\r\n")
            .server("0\r\n\r\n"),
        https("events as they happen")
            .child(GET)
            .server(format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{chunked}"))
            .server("B\r\ndata: one\n\n\r\n")
            .server(format!("3E8\r\n{long}\r\n"))
            .server("0\r\n\r\n"),
        https("eight mebibytes each way")
            .child(format!("{POST}Content-Length: 8388608\r\n\r\n"))
            .then("fill", json!(["child", "0123456789abcdef", 524_288]))
            .server("HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n")
            .then("fill", json!(["server", "fedcba9876543210", 524_288])),
    ]
}

fn heads() -> Vec<Case> {
    let large = format!("X-Large: {}\r\n", "x".repeat(200 << 10));
    let many: String = (0..500).map(|number| format!("X-{number}: {number}\r\n")).collect();
    vec![
        https("names keep their case")
            .child(request("GET / HTTP/1.1", "x-LOWER: 1\r\nACCEPT: */*\r\naccept-ENCODING: br\r\n"))
            .server("HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\nETAG: \"a\"\r\n\r\nok"),
        https("duplicates in a row keep their order")
            .child(request("GET / HTTP/1.1", "X-A: 1\r\nX-A: 2\r\nX-A: 3\r\nX-B: 4\r\n"))
            .server("HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok"),
        https("duplicates apart from each other")
            .terminate_alike()
            .child(request("GET / HTTP/1.1", "X-A: 1\r\nX-B: 2\r\nx-a: 3\r\n"))
            .server("HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 2\r\nset-cookie: b=2\r\n\r\nok"),
        https("empty values and values with spaces")
            .child(request("GET / HTTP/1.1", "X-Empty:\r\nX-Inner: a  b\tc\r\n"))
            .server(OK),
        https("space around values, or nothing but space")
            .terminate_alike()
            .child(request("GET / HTTP/1.1", "X-None:1\r\nX-Empty: \r\nX-Much:\t  2  \r\n"))
            .server(OK),
        https("values that are not ASCII")
            .child(request("GET / HTTP/1.1", "X-Latin: \u{e9}\r\n"))
            .server("HTTP/1.1 200 OK\r\nX: \u{fc}\u{ff}\r\nContent-Length: 0\r\n\r\n"),
        https("every character of a name").child(request("GET / HTTP/1.1", "!#$%&'*+-.^_`|~1aZ: 1\r\n")).server(OK),
        https("hop-by-hop fields pass")
            .child(request("GET / HTTP/1.1", "TE: trailers\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive, TE\r\n"))
            .server(
                "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
            ),
        https("no Date is added, and none is taken")
            .child(GET)
            .server("HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n"),
        https("reasons")
            .terminate_alike()
            .child(GET)
            .server("HTTP/1.1 200 Quite  fine, \u{e9}\r\nContent-Length: 2\r\n\r\nok"),
        https("no reason").child(GET).server("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok"),
        https("statuses that nobody knows")
            .child(GET)
            .server("HTTP/1.1 299 <none>\r\nContent-Length: 0\r\n\r\n")
            .child(GET)
            .server("HTTP/1.1 599 <none>\r\nContent-Length: 0\r\n\r\n"),
        https("a head of 200 KiB")
            .child(request("GET / HTTP/1.1", &large))
            .server(format!("HTTP/1.1 200 OK\r\n{large}Content-Length: 0\r\n\r\n")),
        https("five hundred fields")
            .child(request("GET / HTTP/1.1", &many))
            .server(format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n")),
        https("a target of 30 KiB").child(request(&format!("GET /{} HTTP/1.1", "a".repeat(30 << 10)), "")).server(OK),
        https("cookies, credentials and whatever else")
            .child(request("GET / HTTP/1.1", "Cookie: a=1; b=2\r\nAuthorization: Basic YTpi\r\nRange: bytes=0-1\r\n"))
            .server("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nok"),
        https("an empty line before a request").only_verbatim().child(GET).server(OK).ask("\r\n").child(GET).server(OK),
    ]
}

fn forms() -> Vec<Case> {
    let upgrade = request("GET /chat HTTP/1.1", "Connection: Upgrade\r\nUpgrade: echo/1, other\r\n");
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n";
    let connect = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n";
    vec![
        https("OPTIONS *")
            .child(request("OPTIONS * HTTP/1.1", ""))
            .server("HTTP/1.1 204 No Content\r\nAllow: GET\r\n\r\n"),
        https("the absolute form").child(request("GET https://conform.test/a?b=c HTTP/1.1", "")).server(OK),
        http("the absolute form in plain text").child(request("GET http://conform.test/a HTTP/1.1", "")).server(OK),
        https("any octets that a target may have")
            .child(request("GET /a//b/../c;d?e=%00&f[]=g|h HTTP/1.1", ""))
            .server(OK),
        https("methods of one's own")
            .child(request("BREW /pot HTTP/1.1", ""))
            .server(OK)
            .child(request("PROPFIND / HTTP/1.1", "Content-Length: 2\r\n") + "<>")
            .server(OK),
        https("an upgrade that is accepted")
            .child(&upgrade)
            .server(switch)
            .child("\0\x01raw\r\n")
            .server("\u{ff}back")
            .child("more")
            .end_of("child")
            .server("late")
            .end_of("server"),
        https("what follows the switch at once").child(&upgrade).server(format!("{switch}first")).child("second"),
        https("an upgrade that is declined").child(&upgrade).server(OK).child(GET).server(OK),
        https("an upgrade that is required")
            .child(GET)
            .server("HTTP/1.1 426 Upgrade Required\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n")
            .child(GET)
            .server(OK),
        https("a tunnel that is reset").child(&upgrade).server(switch).child("x").reset_of("server"),
        https("a tunnel that the child resets").child(&upgrade).server(switch).child("x").reset_of("child"),
        https("CONNECT")
            .child(connect)
            .server("HTTP/1.1 200 Connection established\r\n\r\n")
            .child("\x16\x03\x01")
            .server("\x15\x03")
            .end_of("server"),
        https("CONNECT that is refused")
            .child(connect)
            .server("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno")
            .child(GET)
            .server(OK),
    ]
}
