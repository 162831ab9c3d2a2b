//! Captures that SQL has made, read back.

use std::fs;
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use flate2::write::GzEncoder;
use rusqlite::{Connection, params};

use super::*;
use crate::capture::store::{BODIES, DATABASE, SCHEMA, VERSION};
use crate::engine::http::exchange::Direction;

const ALL: RangeInclusive<i64> = 1..=i64::MAX;

/// A directory that goes with the test.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("agent-read-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// A capture as the recorder leaves it: five exchanges on two connections.
pub(crate) fn make(directory: &Path) -> Connection {
    let database = Connection::open(directory.join(DATABASE)).unwrap();
    database.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;").unwrap();
    database.execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")).unwrap();
    fs::create_dir_all(directory.join(BODIES).join("open")).unwrap();
    fs::create_dir_all(directory.join(BODIES).join("ab")).unwrap();
    let body = |content: &[u8]| {
        let sql = "INSERT INTO bodies (sha256, size, cut, content) VALUES (?, ?, 0, ?)";
        database.execute(sql, params![format!("{content:x?}"), content.len(), content]).unwrap();
    };
    body(b"{\"q\":\"needle\"}");
    body(&gzip(b"a needle in gzip"));
    // Two frames in one file, and some of a third that no row tells of.
    let mut file =
        [zstd::encode_all(&b"large: need"[..], 1).unwrap(), zstd::encode_all(&b"le"[..], 1).unwrap()].concat();
    file.extend(b"\x28\xb5\x2f");
    fs::write(directory.join(BODIES).join("ab/abcd.zst"), file).unwrap();
    database.execute_batch(ROWS).unwrap();
    database
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const ROWS: &str = r#"
INSERT INTO session VALUES ('session', 'work'), ('redacted', 0);
INSERT INTO bodies (sha256, size, cut, file) VALUES ('abcd', 13, 0, 'ab/abcd.zst');
INSERT INTO bodies (sha256, size, cut, coding, content) VALUES (NULL, 6, 1, 'identity', CAST('needle' AS BLOB));
INSERT INTO certificates VALUES ('aa', x'3000');
INSERT INTO connections (id, accepted, child, destination, pid, process, executable, connect_us, alpn, child_tls,
    child_resumed, child_tls_us, server_tls, server_resumed, server_tls_us, certificates) VALUES
    (1, 900000, '10.200.1.2:40000', '192.0.2.1:443', 11, 'curl', '/usr/bin/curl', 1000, 'h2', 'TLSv1.3 X', 0, 200,
     'TLSv1.3 Y', 1, 300, '["aa","bb"]'),
    (2, 2000000, '10.200.1.2:40001', '192.0.2.2:80', 22, 'MainThread', '/opt/py/bin/python3', NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL);
INSERT INTO exchanges (id, connection, started, sent, answered, received, finished, version, method, scheme, authority,
    host, path, request_head, request_body, request_size, status, informational, response_head, response_body,
    response_size, response_trailers, stream, verdict, error) VALUES
    (1, 1, 1000000, 1000100, 1000200, 1000300, 1000300, 'HTTP/2', 'POST', 'https', 'api.example', 'api.example',
     '/v1/x?q=1', '[[":method","POST"],["content-type","application/json"]]', 1, 14, 200, '[[103,[["link","</a>"]]]]',
     '[["Content-Encoding","gzip"]]', 2, 36, '[["t","1"]]', NULL, 'allow', NULL),
    (2, 1, 1500000, 1500100, 1500200, 1500300, 1500300, 'HTTP/2', 'POST', 'https', 'grpc.example', 'grpc.example',
     '/pkg.Greeter/SayHello', '[["content-type","application/grpc"]]', NULL, 0, 200, NULL, '[]', NULL, 0, NULL, 'grpc',
     'allow', NULL),
    (3, 2, 2000000, 2000100, 2000200, NULL, NULL, 'HTTP/1.1', 'GET', 'http', 'WWW.example:8080', 'WWW.example', '/large',
     '[["Host","WWW.example:8080"]]', NULL, 0, 404, NULL, '[["X","y"]]', 3, 13, NULL, NULL, 'allow', NULL),
    (4, 2, 3000000, 3000100, NULL, NULL, 3000200, 'HTTP/1.1', 'GET', 'http', 'www.example', 'www.example', '/gone',
     '[]', NULL, 0, NULL, NULL, NULL, NULL, 0, NULL, NULL, 'allow', 'connection reset'),
    (5, 2, 4000000, 4000100, 4000200, 4000300, 4000300, 'HTTP/1.1', 'PUT', 'http', 'www.example', 'www.example', '/both',
     '[]', 1, 14, 500, NULL, '[["content-encoding","gzip"]]', 4, 99, NULL, NULL, 'block', NULL);
INSERT INTO messages (exchange, direction, at, kind, size, cut, note, payload) VALUES
    (2, 'request', 1500100, 'message', 9, 0, NULL, x'0a0377'),
    (2, 'response', 1500200, 'message', 20, 0, 'odd', CAST('a needle here' AS BLOB));
INSERT INTO dns (at, child, transport, name, type, took_us, folded) VALUES
    (100, '10.200.1.2:1', 'udp', 'api.example', 'A', 1, 0), (800000, '10.200.1.2:1', 'udp', 'API.example.', 'A', 7, 0);
INSERT INTO secrets (at, side, line) VALUES (1, 'child', 'A 01 02'), (2, 'server', 'B 03 04'), (3, 'child', 'A 01 02');
"#;

fn ids(capture: &Capture, filter: &Filter) -> Vec<i64> {
    capture.outlines(filter, ALL).unwrap().iter().map(|outline| outline.id).collect()
}

#[test]
fn a_filter_means_what_it_says() {
    let directory = Directory::new();
    let database = make(&directory.0);
    let capture = Capture::open(&directory.0).unwrap();
    let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let none = Filter::default;
    for (filter, expect) in [
        (none(), vec![1, 2, 3, 4, 5]),
        (Filter { hosts: all(&["www.EXAMPLE"]), ..none() }, vec![3, 4, 5]),
        (Filter { hosts: all(&["*.example"]), ..none() }, vec![1, 2, 3, 4, 5]),
        (Filter { hosts: all(&["example"]), ..none() }, vec![]),
        (Filter { hosts: all(&["*ap*", "grpc.example"]), ..none() }, vec![1, 2]),
        (Filter { methods: all(&["post"]), ..none() }, vec![1, 2]),
        (Filter { paths: all(&["q="]), ..none() }, vec![1]),
        (Filter { paths: all(&["/l*e"]), ..none() }, vec![3]),
        (Filter { statuses: vec!["4xx".parse().unwrap()], ..none() }, vec![3]),
        (Filter { statuses: vec![">=500".parse().unwrap(), "none".parse().unwrap()], ..none() }, vec![4, 5]),
        (Filter { processes: all(&["11"]), ..none() }, vec![1, 2]),
        (Filter { processes: all(&["python*"]), ..none() }, vec![3, 4, 5]),
        (Filter { processes: all(&["MainThread", "/usr/bin/curl"]), ..none() }, vec![1, 2, 3, 4, 5]),
        (Filter { since: Some(2_000_000), ..none() }, vec![3, 4, 5]),
        (Filter { grpc: all(&["Greeter/SayHello"]), ..none() }, vec![2]),
        (Filter { grpc: all(&["pkg.Greeter"]), ..none() }, vec![2]),
        (Filter { grpc: all(&["*/SayHello"]), ..none() }, vec![2]),
        (Filter { grpc: all(&["eeter"]), ..none() }, vec![]),
        (Filter { condition: Some("e.response_size > 20 AND c.alpn = 'h2'".into()), ..none() }, vec![1]),
        (Filter { condition: Some("e.id = 1 OR e.id = 3 -- or".into()), methods: all(&["GET"]), ..none() }, vec![3]),
        // What looks like SQL is none.
        (Filter { hosts: all(&["x' OR 1=1 --"]), ..none() }, vec![]),
        (Filter { paths: all(&["[l]arge"]), ..none() }, vec![]),
    ] {
        assert_eq!(ids(&capture, &filter), expect, "{filter:?}");
    }
    let broken = Filter { condition: Some("nonsense(".into()), ..none() };
    let error = capture.outlines(&broken, ALL).unwrap_err().to_string();
    assert!(error.starts_with("`--sql nonsense(`: "), "{error}");
    drop(database);
}

#[test]
fn text_is_found_in_bodies_as_they_are_decoded_and_in_messages() {
    let directory = Directory::new();
    let _database = make(&directory.0);
    let capture = Capture::open(&directory.0).unwrap();
    for (text, expect) in [
        ("needle", vec![1, 2, 3, 5]),
        ("a needle", vec![1, 2]),
        ("large: needle", vec![3]),
        ("{\"q\"", vec![1, 5]),
        ("in gzip", vec![1]),
        ("n.*e", vec![]),
        ("Needle", vec![]),
    ] {
        assert_eq!(capture.grep(&Filter::default(), ALL, text).unwrap(), expect, "{text}");
    }
    let posts = Filter { methods: vec!["POST".into()], ..Filter::default() };
    assert_eq!(capture.grep(&posts, ALL, "needle").unwrap(), [1, 2]);
    assert_eq!(capture.grep(&posts, 2..=9, "needle").unwrap(), [2]);
}

#[test]
fn an_exchange_has_all_that_was_kept() {
    let directory = Directory::new();
    let _database = make(&directory.0);
    let capture = Capture::open(&directory.0).unwrap();
    let first = capture.exchange(1).unwrap();
    let response = first.response.as_ref().unwrap();
    assert_eq!(first.request.value("Content-Type"), Some("application/json"));
    assert_eq!(&response.decoded().bytes[..], b"a needle in gzip");
    assert_eq!(format!("{:?} {:?}", first.informational, response.trailers), "[(103, [link: </a>])] [t: 1]");
    let connection = first.connection.as_ref().unwrap();
    assert_eq!((connection.tls_us(), connection.certificates.len(), first.dns_us), (Some(500), 2, Some(7)));
    assert_eq!((first.certificate.as_deref(), first.is_first), (Some(&[0x30, 0][..]), true));

    let second = capture.exchange(2).unwrap();
    let messages: Vec<_> = second.messages.iter().map(|message| (message.direction, &message.payload[..])).collect();
    assert_eq!(messages, [(Direction::Request, &b"\x0a\x03w"[..]), (Direction::Response, b"a needle here")]);
    assert!(!second.is_first && second.request.body.is_none());

    let third = capture.exchange(3).unwrap().response.unwrap().body.unwrap();
    assert_eq!((&third.bytes[..], third.is_open, third.is_cut), (&b"large: needle"[..], true, false));
    let fifth = capture.exchange(5).unwrap().response.unwrap();
    assert_eq!((&fifth.decoded().bytes[..], fifth.body.as_ref().unwrap().is_cut), (&b"needle"[..], true));
    assert!(capture.exchange(4).unwrap().response.is_none());
    let error = capture.exchange(6).unwrap_err().to_string();
    assert!(error.starts_with("no exchange 6 in `"), "{error}");
}

#[test]
fn a_capture_is_read_while_it_grows_and_leaves_nothing_behind_when_it_is_closed() {
    let directory = Directory::new();
    let database = make(&directory.0);
    let capture = Capture::open(&directory.0).unwrap();
    database.execute_batch("UPDATE exchanges SET status = 201 WHERE id = 1").unwrap();
    assert_eq!(capture.exchange(1).unwrap().outline.status, Some(201));
    drop((capture, database));

    let names = || {
        let entries = fs::read_dir(&directory.0).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), [BODIES, DATABASE]);
    fs::set_permissions(&directory.0, fs::Permissions::from_mode(0o500)).unwrap();
    let capture = Capture::open(&directory.0).unwrap();
    assert_eq!(ids(&capture, &Filter::default()).len(), 5);
    drop(capture);
    fs::set_permissions(&directory.0, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(names(), [BODIES, DATABASE]);
}

#[test]
fn what_is_no_capture_says_so() {
    let directory = Directory::new();
    let open = |_: &str| Capture::open(&directory.0).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(open("nothing").starts_with("no capture in `"));
    fs::write(directory.0.join(DATABASE), b"something else, and long enough to be looked at").unwrap();
    assert!(open("text").contains("that is no capture"), "{}", open("text"));
    fs::remove_file(directory.0.join(DATABASE)).unwrap();
    drop(make(&directory.0));
    let database = Connection::open(directory.0.join(DATABASE)).unwrap();
    database.pragma_update(None, "user_version", VERSION + 1).unwrap();
    drop(database);
    assert!(open("newer").contains("use a newer agent"), "{}", open("newer"));
}

#[test]
fn a_body_is_looked_for_nowhere_but_among_bodies() {
    let directory = Directory::new();
    let database = make(&directory.0);
    let outside = directory.0.join("secret");
    fs::write(&outside, zstd::encode_all(&b"secret"[..], 1).unwrap()).unwrap();
    std::os::unix::fs::symlink(&outside, directory.0.join(BODIES).join("link.zst")).unwrap();
    let capture = Capture::open(&directory.0).unwrap();
    for file in ["../secret", outside.to_str().unwrap(), "./../secret", "link.zst", ""] {
        database.execute("UPDATE bodies SET file = ? WHERE id = 3", [file]).unwrap();
        assert!(capture.exchange(3).is_err(), "{file}");
    }
}

#[test]
fn a_query_and_the_secrets_are_read() {
    let directory = Directory::new();
    let _database = make(&directory.0);
    let capture = Capture::open(&directory.0).unwrap();
    let table = capture.query("SELECT host, count(*) AS n FROM exchanges GROUP BY lower(host) ORDER BY n").unwrap();
    assert_eq!((table.columns, table.rows.len()), (vec!["host".to_owned(), "n".to_owned()], 3));
    assert!(capture.query("DELETE FROM exchanges").is_err());
    assert_eq!(capture.secrets().unwrap(), ["A 01 02", "B 03 04"]);
    assert_eq!(capture.about("session").unwrap().as_deref(), Some("work"));
    assert_eq!(capture.about("nothing").unwrap(), None);
}
