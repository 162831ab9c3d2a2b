//! Writes a key log of both sides of every TLS connection (`--keylog`), on a thread of its own: connections do not wait
//! for a disk or a pipe.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use super::tail::Tail;

/// Secrets that wait to be written; a connection has up to five on each side.
const WAITING: usize = 4096;

/// The thread that writes the key log.
pub struct Keylog {
    secrets: Mutex<Option<SyncSender<Secret>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A secret of a connection.
pub struct Secret {
    /// The side of the connection, as a comment has it.
    pub side: &'static str,
    /// What the connection is known by.
    pub client_random: Vec<u8>,
    /// The line of the key log, with its end.
    pub line: String,
}

impl Keylog {
    /// Goes on at the file's position.
    ///
    /// # Errors
    /// If the file cannot be written or the thread cannot be started.
    pub fn start(file: File) -> io::Result<Self> {
        let tail = Tail::new(file)?;
        let (secrets, told) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("keylog".into()).spawn(move || write(tail, &told))?;
        Ok(Self { secrets: Mutex::new(Some(secrets)), thread: Mutex::new(Some(thread)) })
    }

    /// Writes a secret, at once but for those before it.
    pub fn secret(&self, secret: Secret) {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let full =
            secrets.as_ref().is_some_and(|secrets| matches!(secrets.try_send(secret), Err(TrySendError::Full(_))));
        if full {
            tracing::error!("a secret was lost; the key log lacks it");
        }
    }

    /// Writes all secrets that have come, and ends; those that come later are not written. Blocks.
    pub fn finish(&self) {
        drop(self.secrets.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the key log is not complete: its thread failed");
        }
    }
}

/// Writes secrets until nobody has any more. Where those of another connection, or of its other side, came before, a
/// comment says which side this is.
fn write(mut tail: Tail, secrets: &Receiver<Secret>) {
    let mut latest = ("", Vec::new());
    let mut is_complete = true;
    for Secret { side, client_random, line } in secrets {
        let of = (side, client_random);
        let piece = if of == latest { line } else { format!("# {side}\n{line}") };
        match tail.append(piece.as_bytes()) {
            Ok(()) => latest = of,
            Err(error) if is_complete => {
                is_complete = false;
                tracing::error!(%error, "the key log is not complete");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::{Keylog, Secret};

    #[test]
    fn a_comment_tells_the_side_where_it_changes() {
        let path = std::env::temp_dir().join(format!("agent-keylog-{}", std::process::id()));
        let keylog = Keylog::start(File::create(&path).unwrap()).unwrap();
        let secret = |side, random: &[u8], line: &str| {
            keylog.secret(Secret { side, client_random: random.to_vec(), line: line.to_owned() });
        };
        for (side, random, line) in [
            ("upstream", b"1", "a\n"),
            ("upstream", b"1", "b\n"),
            ("child", b"2", "c\n"),
            ("child", b"3", "d\n"),
            ("upstream", b"3", "e\n"),
        ] {
            secret(side, random, line);
        }
        keylog.finish();
        secret("child", b"4", "too late\n");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "# upstream\na\nb\n# child\nc\n# child\nd\n# upstream\ne\n");
        fs::remove_file(path).unwrap();
    }
}
