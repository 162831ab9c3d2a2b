//! Writes the packets of a session, with the secrets that decrypt them, into a pcapng file while the session runs
//! (`--pcap`).
//!
//! A reader wants a secret before the packets that it decrypts, and some are known only after those: packets wait for a
//! while, secrets do not.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agent_common::maps::Config;
use agent_common::packet::Direction;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::tail::Tail;
use super::tap::{Frame, SNAPLEN, Tap};
use crate::engine::record::pcapng::{self, Packet, Statistics};
use crate::engine::record::remark::{Recorded, remarks};

/// How long a packet waits for secrets: a handshake of TLS 1.2 goes on for as long after the first packet that needs one.
const HOLD: Duration = Duration::from_millis(300);
/// Bytes of memory that packets wait in, at most; what is beyond is written early.
const WAITING: usize = 16 << 20;
/// How often what is due is written.
const TICK: Duration = Duration::from_millis(100);
/// Bytes that are written at once, once there are as many.
const PIECE: usize = 1 << 20;
/// Secrets that wait to be written; a connection has up to five.
const SECRETS: usize = 4096;
/// How often the log says again that packets were lost.
const SILENCE: Duration = Duration::from_secs(10);

/// What a file says of itself and of its packets.
pub struct About {
    /// The device.
    pub device: &'static str,
    /// What it is.
    pub description: String,
    /// What the programs of the session know about it.
    pub config: Config,
    /// What the kernel recorded about connections.
    pub recorded: Box<dyn Recorded + Send>,
}

/// The thread that writes packets.
pub struct Packets {
    notes: mpsc::Sender<Note>,
    /// Until somebody waits for its end.
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread is told.
enum Note {
    /// A line of a key log.
    Secret(String),
    /// Nothing waits from here on.
    Hurry,
    /// Write what is there, and end.
    End,
}

impl Packets {
    /// Begins a section at the position of `file`, and writes the packets of `socket` into it.
    ///
    /// # Errors
    /// If the file cannot be written or the thread cannot be started.
    pub fn start(socket: OwnedFd, file: File, about: About) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tap = {
            let _entered = runtime.enter();
            Tap::new(socket)?
        };
        let writer = Writer::begin(Tail::new(file)?, about);
        let (notes, told) = mpsc::channel(SECRETS);
        let record = move || runtime.block_on(record(tap, told, writer));
        let thread = std::thread::Builder::new().name("packets".into()).spawn(record)?;
        Ok(Self { notes, thread: Mutex::new(Some(thread)) })
    }

    /// Writes a line of a key log, before all packets that come from here on.
    pub fn secret(&self, line: String) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.notes.try_send(Note::Secret(line)) {
            tracing::error!("a secret was lost; the packets of its connection cannot be decrypted");
        }
    }

    /// From here on packets are written as they come: the session ends, and may be cut.
    pub async fn hurry(&self) {
        // If the thread has ended, it has said why.
        self.notes.send(Note::Hurry).await.unwrap_or_default();
    }

    /// Writes all that has come, and ends. Blocks.
    pub fn finish(&self) {
        self.notes.blocking_send(Note::End).unwrap_or_default();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the file of packets is not complete: its thread failed");
        }
    }
}

async fn record(mut tap: Tap, mut notes: mpsc::Receiver<Note>, mut writer: Writer) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Secrets before the packets that may need them.
        let read = tokio::select! {
            biased;
            note = notes.recv() => match note {
                Some(Note::Secret(line)) => {
                    writer.secret(&line);
                    Ok(())
                }
                Some(Note::Hurry) => {
                    writer.hold = Duration::ZERO;
                    Ok(())
                }
                Some(Note::End) | None => break,
            },
            _ = tick.tick(), if writer.has_work() => tap.statistics().map(|counted| writer.write_due(counted)),
            read = tap.read(|frame| writer.packet(frame)) => read,
        };
        if let Err(error) = read {
            tracing::error!(%error, "packets are no longer read");
            break;
        }
        // Or the clock of the runtime would stand still while there is more to read.
        tokio::task::yield_now().await;
    }
    let rest = tap.read_rest(|frame| writer.packet(frame)).and_then(|()| tap.statistics());
    match rest {
        Ok(counted) => writer.end(counted),
        Err(error) => {
            tracing::error!(%error, "the last packets cannot be read");
            writer.end((0, 0));
        }
    }
}

/// What waits, and where it goes.
struct Writer {
    tail: Tail,
    about: About,
    waiting: VecDeque<(Instant, Frame)>,
    /// Bytes of memory of those.
    waits: usize,
    hold: Duration,
    /// Blocks that are not in the file yet.
    blocks: Vec<u8>,
    counted: Statistics,
    told: Told,
}

/// What the log has said.
#[derive(Default)]
struct Told {
    dropped: u64,
    at: Option<Instant>,
    is_incomplete: bool,
}

impl Writer {
    fn begin(tail: Tail, about: About) -> Self {
        let mut blocks = Vec::new();
        pcapng::section(&mut blocks, concat!("agent ", env!("CARGO_PKG_VERSION")));
        pcapng::interface(&mut blocks, about.device, &about.description, SNAPLEN);
        let counted = Statistics { started: now(), ended: Duration::ZERO, received: 0, dropped: 0 };
        let (waiting, told) = (VecDeque::new(), Told::default());
        let mut writer = Self { tail, about, waiting, waits: 0, hold: HOLD, blocks, counted, told };
        writer.flush();
        writer
    }

    fn has_work(&self) -> bool {
        !(self.waiting.is_empty() && self.blocks.is_empty())
    }

    fn secret(&mut self, line: &str) {
        pcapng::secrets(&mut self.blocks, line);
    }

    fn packet(&mut self, frame: Frame) {
        self.waits += weight(&frame);
        self.waiting.push_back((Instant::now(), frame));
        while self.waits > WAITING {
            self.write_oldest();
        }
    }

    /// Writes what has waited long enough, and says what was lost.
    fn write_due(&mut self, counted: (u64, u64)) {
        let now = Instant::now();
        while self.waiting.front().is_some_and(|(since, _)| now.duration_since(*since) >= self.hold) {
            self.write_oldest();
        }
        self.flush();
        self.count(counted);
        let lost = self.counted.dropped - self.told.dropped;
        if lost > 0 && self.told.at.is_none_or(|at| at.elapsed() >= SILENCE) {
            tracing::warn!(lost, "packets were lost: the file of packets lacks them");
            (self.told.dropped, self.told.at) = (self.counted.dropped, Some(now));
        }
    }

    fn end(mut self, counted: (u64, u64)) {
        while !self.waiting.is_empty() {
            self.write_oldest();
        }
        self.count(counted);
        self.counted.ended = now();
        pcapng::statistics(&mut self.blocks, &self.counted);
        self.flush();
        let Statistics { received, dropped, .. } = self.counted;
        tracing::info!(received, dropped, "the file of packets is written");
    }

    fn count(&mut self, (received, dropped): (u64, u64)) {
        self.counted.received += received;
        self.counted.dropped += dropped;
    }

    fn write_oldest(&mut self) {
        let Some((_, frame)) = self.waiting.pop_front() else { return };
        self.waits -= weight(&frame);
        // What the kernel records about a connection it records after this socket has seen its first packet.
        let comments = match frame.direction {
            Direction::Out => remarks(&frame, &self.about.config, &*self.about.recorded),
            Direction::In => Vec::new(),
        };
        let Frame { time, direction, length, bytes, .. } = &frame;
        let (time, direction, length) = (*time, *direction, *length);
        pcapng::packet(&mut self.blocks, &Packet { time, direction, length, bytes, comments: &comments });
        if self.blocks.len() >= PIECE {
            self.flush();
        }
    }

    /// Puts whole blocks into the file. What it does not take is gone: traffic does not wait for a disk.
    fn flush(&mut self) {
        if let Err(error) = self.tail.append(&self.blocks)
            && !self.told.is_incomplete
        {
            self.told.is_incomplete = true;
            tracing::error!(%error, "the file of packets is not complete");
        }
        self.blocks.clear();
    }
}

/// Bytes of memory.
fn weight(frame: &Frame) -> usize {
    frame.bytes.len() + size_of::<(Instant, Frame)>()
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
