//! Processes: started, read, waited for with a deadline, and ended with the value that holds them.

use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::{self, DEADLINE};

/// How a process ended and what it said.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit status as shells give it: a signal's is 128 and its number.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Output {
    /// Asserts success and returns standard output.
    ///
    /// # Panics
    /// If the status is another.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.status, 0, "{self:#?}");
        &self.stdout
    }

    /// Asserts the status.
    ///
    /// # Panics
    /// If it is another.
    #[track_caller]
    pub fn assert_status(&self, status: i32) -> &Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// Asserts that standard output contains `text`.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn assert_stdout(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "`{text}` is not in {self:#?}");
        self
    }

    /// Asserts that standard error contains `text`.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn assert_stderr(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "`{text}` is not in {self:#?}");
        self
    }
}

/// A running process. It is killed when the value is dropped.
pub struct Process {
    what: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Reader,
    stderr: Reader,
    started: Instant,
}

impl Process {
    /// Starts a process with all three streams piped.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn spawn(command: &mut Command) -> Self {
        let what = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}; run `cargo xtask setup`"));
        let stdin = child.stdin.take();
        let stdout = Reader::new(child.stdout.take().unwrap());
        let stderr = Reader::new(child.stderr.take().unwrap());
        Self { what, child, stdin, stdout, stderr, started: Instant::now() }
    }

    /// Starts a process and waits until it has written a line `ready`.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn spawn_ready(command: &mut Command) -> Self {
        let mut process = Self::spawn(command);
        process.wait_line("ready");
        process
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Waits until it has written this line.
    ///
    /// # Panics
    /// If it has not in time, or has ended.
    pub fn wait_line(&mut self, line: &str) {
        self.wait_output(|text| text.lines().any(|have| have == line).then_some(()));
    }

    /// Whether it has written this line.
    #[must_use]
    pub fn has_written(&self, line: &str) -> bool {
        self.stdout.text().lines().any(|have| have == line)
    }

    /// Waits until something can be read from what it has written.
    ///
    /// # Panics
    /// If that cannot be in time, or it has ended.
    pub fn wait_output<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> T {
        let found = wait::within(DEADLINE, || {
            let ended = self.child.try_wait().unwrap().is_some() && self.stdout.is_done();
            let found = read(&self.stdout.text());
            if found.is_none() && ended { Some(None) } else { found.map(Some) }
        });
        let said = || format!("{}\n{}\n{}", self.what, self.stdout.text(), self.stderr.text());
        found.flatten().unwrap_or_else(|| panic!("it did not write what was expected: {}", said()))
    }

    /// Writes to its standard input.
    ///
    /// # Panics
    /// If it does not read.
    pub fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).and_then(|()| stdin.flush()).unwrap();
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If it is gone.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Closes its standard input and waits until it ends.
    ///
    /// # Panics
    /// If it does not within [`DEADLINE`].
    pub fn finish(self) -> Output {
        self.finish_within(DEADLINE)
    }

    /// Closes its standard input and waits until it ends.
    ///
    /// # Panics
    /// If it does not within `limit`.
    pub fn finish_within(mut self, limit: Duration) -> Output {
        drop(self.stdin.take());
        let Some(status) = wait::within(limit, || self.child.try_wait().unwrap()) else {
            // A chance to clean up: it may be an agent.
            kill(self.pid(), Signal::SIGTERM).unwrap();
            wait::within(Duration::from_secs(5), || self.child.try_wait().unwrap());
            panic!("{} did not end within {limit:?}: {}\n{}", self.what, self.stdout.text(), self.stderr.text());
        };
        let took = self.started.elapsed();
        // Its children may still hold the pipes.
        wait::within(Duration::from_secs(5), || (self.stdout.is_done() && self.stderr.is_done()).then_some(()));
        Output { status: code(status), stdout: self.stdout.text(), stderr: self.stderr.text(), took }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("{}: {error}", self.what);
        }
    }
}

/// Runs a command to its end.
///
/// # Panics
/// If it does not end within [`DEADLINE`].
#[must_use]
pub fn run(command: &mut Command) -> Output {
    Process::spawn(command).finish()
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Collects a stream in the background.
struct Reader {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn new(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&bytes);
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                collected.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Self { bytes, thread }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    fn is_done(&self) -> bool {
        self.thread.is_finished()
    }
}
