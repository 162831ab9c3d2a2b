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
    play(
        &[],
        &[connections(), resets(), connections_of_hyper(), bodies(), no_bodies(), interim(), heads(), forms()].concat(),
    );
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
    ]
}

fn resets() -> Vec<Case> {
    vec![
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
    ]
}

fn no_bodies() -> Vec<Case> {
    let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    vec![
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
            .server(response)
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
    ]
}

fn interim() -> Vec<Case> {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    let response = format!("HTTP/1.1 200 OK\r\n{chunked}");
    let expect = format!("{POST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    let long = "x".repeat(1000);
    vec![
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

/// Requests that two readers could take for different ones.
const AMBIGUOUS: [(&str, &str); 44] = [
    ("Content-Length with Transfer-Encoding", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("Transfer-Encoding with Content-Length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ("two equal lengths", "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    ("a list of lengths", "Content-Length: 5, 5\r\n\r\nhello"),
    ("a signed length", "Content-Length: +5\r\n\r\nhello"),
    ("a negative length", "Content-Length: -5\r\n\r\nhello"),
    ("a length in hexadecimal", "Content-Length: 0x5\r\n\r\nhello"),
    ("a length with an underscore", "Content-Length: 0_5\r\n\r\nhello"),
    ("a length that overflows", "Content-Length: 18446744073709551621\r\n\r\nhello"),
    ("no number for a length", "Content-Length: five\r\n\r\nhello"),
    ("an empty length", "Content-Length:\r\n\r\nhello"),
    ("a length with more behind it", "Content-Length: 5 6\r\n\r\nhello"),
    ("chunked and then identity", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("identity", "Transfer-Encoding: identity\r\n\r\n"),
    ("chunked twice", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked in two fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked and then gzip", "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("gzip alone", "Transfer-Encoding: gzip\r\n\r\n"),
    ("a coding that is unknown", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("a coding with a parameter", "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    ("a coding in quotes", "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    ("an empty coding", "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    ("a vertical tab in a coding", "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    ("space before the colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("a tab before the colon", "Content-Length\t: 5\r\n\r\nhello"),
    ("a folded line", "X: a\r\n b\r\n\r\n"),
    ("a folded coding", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ("a field before all others that is folded", " X: a\r\n\r\n"),
    ("a bare LF after a field", "X: a\nContent-Length: 5\r\n\r\nhello"),
    ("a bare LF at the end", "X: a\r\n\n"),
    ("a bare CR in a value", "X: a\rContent-Length: 5\r\n\r\n"),
    ("a bare CR before the end of a line", "X: a\r\r\n\r\n"),
    ("a NUL in a value", "X: a\0b\r\n\r\n"),
    ("a NUL in a name", "X\0: a\r\n\r\n"),
    ("two hosts", "Host: other.test\r\n\r\n"),
    ("a name with a space", "X Y: a\r\n\r\n"),
    ("a name with a delimiter", "X(Y): a\r\n\r\n"),
    ("a name beyond ASCII", "X\u{e9}: a\r\n\r\n"),
    ("an empty name", ": a\r\n\r\n"),
    ("a line without colon", "Content-Length\r\n\r\n"),
    ("DEL in a value", "X: a\x7f\r\n\r\n"),
    ("a control character in a value", "X: a\x01b\r\n\r\n"),
    ("a length behind a control character", "Content-Length: \x0c5\r\n\r\nhello"),
];

/// Requests whose first line is not one.
const FIRST_LINES: [(&str, &str); 12] = [
    ("a version that there is not", "GET / HTTP/1.2"),
    ("a version of two digits", "GET / HTTP/1.10"),
    ("HTTP/2 in a request line", "GET / HTTP/2.0"),
    ("a version in small letters", "GET / http/1.1"),
    ("no version", "GET /"),
    ("two spaces", "GET  / HTTP/1.1"),
    ("a space at the end", "GET / HTTP/1.1 "),
    ("a space within the target", "GET /a b HTTP/1.1"),
    ("a tab for a space", "GET\t/ HTTP/1.1"),
    ("a method that is no token", "GE(T / HTTP/1.1"),
    ("a NUL in the target", "GET /\0 HTTP/1.1"),
    ("no target", "GET HTTP/1.1"),
];

/// Chunked bodies that two readers could take for different ones: what passes, and what does not.
const CHUNKS: [(&str, &str, &str); 16] = [
    ("a bare LF after a size", "", "3\nabc\r\n0\r\n\r\n"),
    ("a size with space behind", "", "3 \r\nabc\r\n0\r\n\r\n"),
    ("a size with space before", "", " 3\r\nabc\r\n0\r\n\r\n"),
    ("a size with a sign", "", "+3\r\nabc\r\n0\r\n\r\n"),
    ("a negative size", "", "-3\r\nabc\r\n0\r\n\r\n"),
    ("a size with 0x", "", "0x3\r\nabc\r\n0\r\n\r\n"),
    ("a size with an underscore", "", "0_3\r\nabc\r\n0\r\n\r\n"),
    ("a size that overflows", "", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("no size", "", "\r\nabc\r\n0\r\n\r\n"),
    ("no digits", "", "g\r\nabc\r\n0\r\n\r\n"),
    ("a chunk that is longer than its size", "", "3\r\nabcd\r\n0\r\n\r\n"),
    ("a chunk that ends with a bare LF", "", "3\r\nabc\n0\r\n\r\n"),
    ("a bare CR in an extension", "", "3;a=\rb\r\nabc\r\n0\r\n\r\n"),
    ("a bare LF in an extension", "3\r\nabc\r\n", "1;a=\"\nX\"\r\nz\r\n0\r\n\r\n"),
    ("a bare LF in the trailers", "3\r\nabc\r\n", "0\r\nX: 1\n\r\n"),
    ("a folded trailer", "3\r\nabc\r\n", "0\r\nX: 1\r\n 2\r\n\r\n"),
];

#[test]
fn what_may_be_read_in_two_ways_is_answered_400_and_does_not_pass() {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: conform.test\r\n\r\n";
    let refused = |name: &str, request: &str| {
        let request = format!("{request}{smuggled}");
        [https(name), http(&format!("{name}, in plain text"))]
            .map(|case| case.ask(&request).closed("HTTP/1.1 400 ").untouched())
    };
    let fields = AMBIGUOUS.iter().flat_map(|(name, rest)| refused(name, &format!("{POST}{rest}")));
    let lines = FIRST_LINES.iter().map(|(name, line)| {
        https(name).ask(format!("{line}\r\nHost: conform.test\r\n\r\n{smuggled}")).closed("HTTP/1.1 400 ").untouched()
    });
    let old = https("Transfer-Encoding in HTTP/1.0")
        .ask(format!("POST / HTTP/1.0\r\nHost: conform.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"))
        .closed("HTTP/1.1 400 ")
        .untouched();
    let after = https("after a request that is sound")
        .child(GET)
        .server(OK)
        .ask(format!("{POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello{smuggled}"))
        .closed("HTTP/1.1 400 ")
        .untouched();
    let chunks = CHUNKS.iter().flat_map(|(name, sound, broken)| {
        let head = format!("{POST}Transfer-Encoding: chunked\r\n\r\n");
        let case = https(name).ask(format!("{head}{sound}{broken}{smuggled}")).closed("HTTP/1.1 400 ");
        [case.then("without", json!(["smuggled"]))]
    });
    let cases: Vec<Case> = fields.chain(lines).chain([old, after]).chain(chunks).collect();
    let stage = Stage::new();
    for carrier in CARRIERS {
        let agent = stage.lab.agent().args(&["--carrier", carrier]);
        let session = agent.up();
        stage.play(&session, carrier, &cases);
        session.down();
        let reported = agent.log().matches("message_refused").count();
        assert_eq!(reported, cases.len(), "{carrier}");
    }
}

#[test]
fn what_a_server_says_that_may_be_read_in_two_ways_does_not_pass() {
    let table = [
        (
            "a length with a coding",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
        ("a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"),
        ("no number for a length", "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok"),
        ("a coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("a coding that is unknown", "HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\nok"),
        ("chunked that is not the last", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nok"),
        ("a bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
        ("a bare CR", "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok"),
        ("a NUL", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok"),
        ("a folded line", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok"),
        ("space before a colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok"),
        ("a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"),
        ("another version", "HTTP/1.7 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        ("another protocol", "SSH-2.0-OpenSSH_9.0\r\n\r\n"),
        ("a switch that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    ];
    let cases = table.map(|(name, response)| {
        https(name).only_verbatim().child(GET).tell(response).closed("HTTP/1.1 502 ").then("left", json!(["server"]))
    });
    let broken = ["3\nabc", "3\r\nabcd", "g\r\n", "0\r\nX: 1\n\r\n"].map(|chunk| {
        https(&format!("a response that breaks: {chunk:?}"))
            .only_verbatim()
            .child(GET)
            .server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .tell(chunk)
            .then("heard", json!(["child", "reset"]))
    });
    let stage = Stage::new();
    let agent = stage.lab.agent();
    let session = agent.up();
    let cases = [&cases[..], &broken].concat();
    stage.play(&session, "verbatim", &cases);
    session.down();
    assert_eq!(agent.log().matches("message_refused").count(), cases.len());
}

#[test]
fn a_head_beyond_the_limit_is_answered_431() {
    let large = request("GET / HTTP/1.1", &format!("X: {}\r\n", "x".repeat(257 << 10)));
    let many = request("GET / HTTP/1.1", &(0..512).map(|number| format!("X-{number}: 1\r\n")).collect::<String>());
    let trailers = format!("{POST}Transfer-Encoding: chunked\r\n\r\n0\r\nX: {}", "x".repeat(257 << 10));
    play(
        &[],
        &[
            https("too large").ask(large).closed("HTTP/1.1 431 ").untouched(),
            https("too many fields").ask(many).closed("HTTP/1.1 431 ").untouched(),
            https("trailers that are too large").ask(trailers).closed("HTTP/1.1 431 ").then("without", json!(["xxx"])),
            https("a response's head that is too large")
                .child(GET)
                .tell(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(330 << 10)))
                .answered("HTTP/1.1 502 ")
                .then("left", json!(["server"])),
        ],
    );
}

#[test]
fn where_messages_are_cut_into_segments_does_not_matter() {
    let request = format!("{POST}Transfer-Encoding: chunked\r\nX: y\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n");
    let response = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let cut = |name: &str, which: fn(&str) -> Case| {
        let whole = which(name).only_verbatim();
        let one = (1..request.len())
            .fold(whole, |case, at| case.then("child", json!([request[..at], request[at..]])).server(response));
        (1..response.len())
            .fold(one, |case, at| case.child(&request).then("server", json!([response[..at], response[at..]])))
    };
    let sound = format!("{POST}Content-Length: 5\r\nX: y\r\n\r\nhello");
    let drip = |name: &str, which: fn(&str) -> Case| {
        which(name)
            .then("drip", json!(["child", sound]))
            .then("drip", json!(["server", OK]))
            .then("drip", json!(["child", GET]))
            .server(OK)
    };
    play(
        &[],
        &[
            cut("in two", http),
            cut("in two records", https),
            drip("byte by byte", http),
            drip("a record for each byte", https),
        ],
    );
}

#[test]
fn enforcing_refuses_what_is_no_longer_http() {
    let connect = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n";
    let upgrade = request("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: echo/1\r\n");
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n";
    play(
        &["--mode", "enforce"],
        &[
            https("CONNECT is answered, and the connection lives on")
                .child(GET)
                .server(OK)
                .ask(connect)
                .answered("HTTP/1.1 403 ")
                .child(GET)
                .server(OK),
            https("a switch to what is not read")
                .child(&upgrade)
                .tell(switch)
                .answered("HTTP/1.1 502 ")
                .then("left", json!(["server"])),
            https("an upgrade that is declined").child(&upgrade).server(OK).child(GET).server(OK),
        ],
    );
}
