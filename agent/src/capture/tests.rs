//! Whatever mix of exchanges passes, what is stored equals what passed.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use bytes::Bytes;
use rusqlite::Connection;

use super::*;
use crate::engine::dice::Dice;
use crate::engine::event::{ConnectionId, Event, ExchangeId, Sink};
use crate::engine::http::exchange::Direction;
use crate::engine::http::tape::{Passed, Tape as _};
use crate::engine::http::{Field, RequestHead};

/// A directory that goes with its value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("agent-capture-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn config(&self) -> Config {
        Config {
            directory: self.0.clone(),
            max_body: 1 << 20,
            max_session: 1 << 30,
            on_full: OnFull::Continue,
            redact: false,
            redact_fields: Vec::new(),
            about: Vec::new(),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Keeps what is reported.
#[derive(Default)]
struct Reports(Mutex<Vec<Event>>);

impl Sink for Reports {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

fn head(path: &str, fields: Vec<Field>) -> RequestHead {
    RequestHead {
        version: "HTTP/1.1",
        method: http::Method::POST,
        scheme: "https".into(),
        authority: "a.test".into(),
        path: path.into(),
        tunnel: None,
        pseudo: Vec::new(),
        content: None,
        fields,
    }
}

fn database(folder: &Path) -> Connection {
    Connection::open(folder.join(store::DATABASE)).unwrap()
}

/// The content of the body that an exchange has in `column`.
fn content(folder: &Path, database: &Connection, exchange: u64, column: &str) -> Option<(Vec<u8>, bool)> {
    let sql = format!(
        "SELECT b.content, b.file, b.cut, b.size FROM exchanges e JOIN bodies b ON b.id = e.{column} WHERE e.id = ?"
    );
    let found = database.query_row(&sql, [exchange], |row| {
        Ok((row.get::<_, Option<Vec<u8>>>(0)?, row.get::<_, Option<String>>(1)?, row.get(2)?, row.get::<_, u64>(3)?))
    });
    let (inline, file, cut, size) = found.ok()?;
    let bytes = inline.unwrap_or_else(|| {
        let file = std::fs::File::open(folder.join(store::BODIES).join(file.unwrap())).unwrap();
        let mut bytes = Vec::new();
        zstd::stream::read::Decoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    });
    assert_eq!(bytes.len() as u64, size);
    Some((bytes, cut))
}

/// What passed of an exchange.
#[derive(Default)]
struct Play {
    bodies: [Vec<u8>; 2],
    has_ended: [bool; 2],
}

/// Some bytes: of few kinds, so that contents repeat.
fn bytes(dice: &mut Dice) -> Vec<u8> {
    let length = [0, 1, 100, 5_000, 20_000, 120_000][dice.below(6)];
    let byte = b'a' + u8::try_from(dice.below(3)).unwrap();
    (0..length).map(|at| byte ^ u8::try_from(at % 7).unwrap()).collect()
}

#[test]
fn what_is_stored_equals_what_passed() {
    for seed in 0..6 {
        let folder = Folder::new(&format!("equals-{seed}"));
        let mut dice = Dice(seed);
        let recorder = Recorder::open(&folder.config(), Arc::new(Reports::default())).unwrap();
        let mut plays: HashMap<u64, Play> = HashMap::new();
        let mut over = HashMap::new();
        for id in 1..=40 {
            recorder
                .passed(ExchangeId(id), Passed::Request(ConnectionId(1), Box::new(head(&format!("/{id}"), vec![]))));
            plays.insert(id, Play::default());
            for _ in 0..dice.below(30) {
                let mut open: Vec<u64> = plays.keys().copied().collect();
                open.sort_unstable();
                let Some(&id) = open.get(dice.below(open.len().max(1))) else { break };
                let direction = if dice.below(2) == 0 { Direction::Request } else { Direction::Response };
                let play = plays.get_mut(&id).unwrap();
                match dice.below(8) {
                    0 => {
                        play.has_ended[direction as usize] = true;
                        recorder.passed(ExchangeId(id), Passed::End(direction));
                    }
                    1 => recorder.passed(ExchangeId(id), Passed::Response(200, vec![Field::new("X-A", "1")])),
                    2 => {
                        let finished = Event::ExchangeFinished {
                            exchange: ExchangeId(id),
                            status: Some(200),
                            request_bytes: 0,
                            response_bytes: 0,
                            error: None,
                        };
                        recorder.note(finished);
                        over.insert(id, plays.remove(&id).unwrap());
                    }
                    _ if play.has_ended[direction as usize] => {}
                    _ => {
                        let content = bytes(&mut dice);
                        play.bodies[direction as usize].extend(&content);
                        recorder.passed(ExchangeId(id), Passed::Data(direction, Bytes::from(content)));
                    }
                }
            }
        }
        recorder.close();
        over.extend(plays);
        let database = database(&folder.0);
        for (id, play) in over {
            for (column, body) in [("request_body", &play.bodies[0]), ("response_body", &play.bodies[1])] {
                let (stored, cut) = content(&folder.0, &database, id, column).unwrap_or_default();
                let kept = body.len().min(1 << 20);
                assert!(stored == body[..kept] && cut == (kept < body.len()), "seed {seed}, exchange {id}, {column}");
                let size: u64 = database
                    .query_row(
                        &format!("SELECT {} FROM exchanges WHERE id = ?", column.replace("body", "size")),
                        [id],
                        |row| row.get(0),
                    )
                    .unwrap();
                assert_eq!(size, body.len() as u64);
            }
        }
        let twice: i64 = database
            .query_row("SELECT count(*) FROM (SELECT 1 FROM bodies WHERE sha256 IS NOT NULL GROUP BY sha256 HAVING count(*) > 1)", [], |row| row.get(0))
            .unwrap();
        assert_eq!(twice, 0);
        let open = std::fs::read_dir(folder.0.join(store::BODIES).join("open")).unwrap().count();
        assert_eq!(open, 0, "seed {seed}: files that are not named by what is in them");
    }
}

#[test]
fn a_second_recorder_goes_on_with_the_numbers() {
    let folder = Folder::new("second");
    let config = folder.config();
    let first = Recorder::open(&config, Arc::new(Reports::default())).unwrap();
    assert_eq!(first.last(), (0, 0));
    first.passed(ExchangeId(7), Passed::Request(ConnectionId(3), Box::new(head("/", vec![]))));
    first.close();
    let second = Recorder::open(&config, Arc::new(Reports::default())).unwrap();
    assert_eq!(second.last(), (0, 7));
    second.close();
    database(&folder.0).pragma_update(None, "user_version", store::VERSION + 1).unwrap();
    let error = Recorder::open(&config, Arc::new(Reports::default())).err().unwrap();
    assert!(matches!(error, Error::Version { .. }), "{error}");
}

/// Lets 64 KiB pieces pass while there is room, at most 20 MiB.
fn fill(recorder: &Recorder) -> usize {
    let mut pieces = 0;
    recorder.passed(ExchangeId(1), Passed::Request(ConnectionId(1), Box::new(head("/", vec![]))));
    while pieces < 320 && recorder.poll_room(&mut Context::from_waker(Waker::noop())).is_ready() {
        recorder.passed(ExchangeId(1), Passed::Data(Direction::Request, Bytes::from(vec![b'x'; 64 << 10])));
        pieces += 1;
    }
    pieces
}

#[test]
fn where_nothing_can_be_written_traffic_stops_and_nothing_is_lost() {
    let folder = Folder::new("block");
    let reports = Arc::new(Reports::default());
    let config = Config { on_full: OnFull::Block, max_body: 1 << 30, ..folder.config() };
    let recorder = Recorder::open(&config, Arc::clone(&reports) as _).unwrap();
    let other = database(&folder.0);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let pieces = fill(&recorder);
    assert!((32..320).contains(&pieces), "{pieces}");
    other.execute_batch("ROLLBACK").unwrap();
    recorder.close();
    let (stored, cut) = content(&folder.0, &other, 1, "request_body").unwrap();
    assert!(stored.len() == pieces * (64 << 10) && !cut);
}

#[test]
fn at_the_sessions_limit_traffic_goes_on_and_what_is_missing_is_counted() {
    let folder = Folder::new("limit");
    let reports = Arc::new(Reports::default());
    let config = Config { max_session: 1, ..folder.config() };
    let recorder = Recorder::open(&config, Arc::clone(&reports) as _).unwrap();
    recorder.passed(ExchangeId(1), Passed::Request(ConnectionId(1), Box::new(head("/", vec![]))));
    recorder.passed(ExchangeId(1), Passed::Data(Direction::Request, Bytes::from_static(b"twelve bytes")));
    recorder.close();
    let told = reports.0.lock().unwrap().clone();
    assert!(matches!(&told[..], [Event::CaptureFailed { blocks: false, .. }]), "{told:?}");
    let missing: u64 = database(&folder.0)
        .query_row("SELECT value FROM session WHERE name = 'unrecorded_bytes'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(missing, 12);
}

#[test]
fn credentials_are_masked_before_they_are_stored_however_they_come() {
    let secret = "AKIAIOSFODNN7EXAMPLE";
    let folder = Folder::new("masks");
    let config = Config { redact: true, redact_fields: vec!["pin".into()], ..folder.config() };
    let recorder = Recorder::open(&config, Arc::new(Reports::default())).unwrap();
    let body = format!("{{\"filler\": \"{}\", \"key\": \"{secret}\", \"pin\": 4711}}", "-".repeat(40_000));
    let fields = vec![Field::new("Authorization", "Bearer s3cr3t-t0ken")];
    recorder.passed(ExchangeId(1), Passed::Request(ConnectionId(1), Box::new(head("/?api_key=hunter22", fields))));
    for piece in body.as_bytes().chunks(13) {
        recorder.passed(ExchangeId(1), Passed::Data(Direction::Request, Bytes::copy_from_slice(piece)));
    }
    let packed = zstd::encode_all(body.as_bytes(), 1).unwrap();
    recorder.passed(ExchangeId(1), Passed::Response(200, vec![Field::new("content-encoding", "zstd")]));
    recorder.passed(ExchangeId(1), Passed::Data(Direction::Response, Bytes::from(packed)));
    recorder.passed(ExchangeId(1), Passed::End(Direction::Response));
    recorder.close();
    let database = database(&folder.0);
    for column in ["request_body", "response_body"] {
        let (stored, _) = content(&folder.0, &database, 1, column).unwrap();
        let text = String::from_utf8(stored).unwrap();
        assert_eq!(text.len(), body.len(), "{column}");
        assert!(!text.contains(secret) && !text.contains("4711") && text.contains("filler"), "{column}");
    }
    for entry in ["capture.db", "capture.db-wal"] {
        let bytes = std::fs::read(folder.0.join(entry)).unwrap_or_default();
        for secret in [secret, "s3cr3t-t0ken", "hunter22"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{entry} has {secret}");
        }
    }
}

#[test]
fn what_was_stored_of_a_body_stays_when_the_rest_cannot_be() {
    let folder = Folder::new("rest");
    let reports = Arc::new(Reports::default());
    let recorder = Recorder::open(&folder.config(), Arc::clone(&reports) as _).unwrap();
    let data = |text: &'static str| {
        recorder.passed(ExchangeId(1), Passed::Data(Direction::Request, Bytes::from_static(text.as_bytes())));
    };
    recorder.passed(ExchangeId(1), Passed::Request(ConnectionId(1), Box::new(head("/", vec![]))));
    data("stored");
    let other = database(&folder.0);
    until(|| content(&folder.0, &other, 1, "request_body").is_some());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    data("lost");
    until(|| !reports.0.lock().unwrap().is_empty());
    other.execute_batch("ROLLBACK").unwrap();
    recorder.close();
    assert_eq!(content(&folder.0, &other, 1, "request_body"), Some((b"stored".to_vec(), true)));
    let missing: u64 =
        other.query_row("SELECT value FROM session WHERE name = 'unrecorded_bytes'", [], |row| row.get(0)).unwrap();
    assert_eq!(missing, 4);
}

/// Waits for what another thread does.
fn until(is_so: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed().as_secs() < 60, "it does not come");
        std::thread::yield_now();
    }
}

#[test]
fn who_is_named_in_a_url_is_masked() {
    let folder = Folder::new("userinfo");
    let config = Config { redact: true, ..folder.config() };
    let recorder = Recorder::open(&config, Arc::new(Reports::default())).unwrap();
    let head = RequestHead { authority: "ada:hunter2@a.test".into(), ..head("/p?token=hunter3", vec![]) };
    recorder.passed(ExchangeId(1), Passed::Request(ConnectionId(1), Box::new(head)));
    recorder.close();
    let sql = "SELECT authority || ' ' || host || ' ' || path FROM exchanges";
    let row: String = database(&folder.0).query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(!row.contains("hunter") && row.contains("@a.test a.test /p?token="), "{row}");
}
