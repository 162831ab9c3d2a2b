//! Scripted connections, played with both ends in hand by `programs/player/play.py`: the child's end is in a session,
//! the server's is lent by `listen.py`. A case is a list of moves, and each is over before the next begins.

use serde_json::{Value, json};

use crate::lab::{Lab, PYTHON};
use crate::process::Process;
use crate::session::Session;
use crate::tools;

/// The agent's two carriers of HTTP.
pub const CARRIERS: [&str; 2] = ["verbatim", "terminate"];

/// A lab whose servers are played.
pub struct Stage {
    // Ends before the lab.
    _listener: Process,
    /// The lab.
    pub lab: Lab,
    /// What the programs need to make both ends.
    pub net: [String; 3],
}

impl Stage {
    /// A lab with the listener of `listen.py`.
    #[must_use]
    pub fn new() -> Self {
        let lab = Lab::bare();
        let (cert, key) = lab.authority.issue(&lab.scratch, "conform.test", "DNS:conform.test");
        let socket = lab.scratch.file("listen");
        let mut listener = lab.inet.command(PYTHON);
        listener.args(["-B", &tools::program("player/listen.py"), &socket]);
        let listener = Process::spawn_ready(&mut listener);
        Self { _listener: listener, lab, net: [socket, cert, key] }
    }

    /// A session with this carrier and these options.
    #[must_use]
    pub fn session(&self, carrier: &str, options: &[&str]) -> Session<'_> {
        self.lab.agent().args(&["--carrier", carrier]).args(options).up()
    }

    /// Plays those of `cases` that hold for `carrier` in `session`.
    ///
    /// # Panics
    /// If one does not hold; the message names all that do not, with move, expectation and what came instead.
    pub fn play(&self, session: &Session<'_>, carrier: &str, cases: &[Case]) {
        let cases: Vec<&Case> = cases.iter().filter(|case| case.holds_for(carrier)).collect();
        assert!(cases.len() < 400, "an address for each case");
        let script: Vec<Value> = cases.iter().enumerate().map(|(at, case)| case.script(at, carrier)).collect();
        let script = json!({"net": self.net, "cases": script}).to_string();
        let script = self.lab.scratch.write(&format!("{carrier}.json"), script);
        let output = session.exec(&[PYTHON, "-B", &tools::program("player/play.py"), &script]);
        let played: Vec<Value> = serde_json::from_str(output.ok()).unwrap();
        let failed: Vec<String> =
            cases.iter().zip(&played).filter_map(|(case, played)| case.failure(carrier, played)).collect();
        assert!(failed.is_empty(), "{carrier}: {} of {} cases\n{}", failed.len(), cases.len(), failed.join("\n"));
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

/// How a case holds for the terminating carrier. For the verbatim one all bytes are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terminate {
    /// As for the verbatim one.
    Exact,
    /// What arrives means the same.
    Alike,
    /// Not at all.
    Never,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Case {
    name: String,
    /// The protocol that TLS agrees on, none if empty; without TLS if `None`.
    alpn: Option<&'static str>,
    is_h2: bool,
    terminate: Terminate,
    is_verbatim: bool,
    moves: Vec<Value>,
}

/// A case of HTTP/1 over TLS.
#[must_use]
pub fn https(name: &str) -> Case {
    Case::new(name, Some("http/1.1"), false)
}

/// A case of HTTP/1 in plain text.
#[must_use]
pub fn http(name: &str) -> Case {
    Case::new(name, None, false)
}

/// A case of HTTP/2 over TLS.
#[must_use]
pub fn h2(name: &str) -> Case {
    Case::new(name, Some("h2"), true)
}

/// A case of HTTP/2 in plain text, by prior knowledge.
#[must_use]
pub fn h2c(name: &str) -> Case {
    Case::new(name, None, true)
}

/// Bytes as JSON carries them: a character for each.
#[must_use]
pub fn bytes(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|&byte| char::from(byte)).collect()
}

impl Case {
    fn new(name: &str, alpn: Option<&'static str>, is_h2: bool) -> Self {
        let terminate = Terminate::Exact;
        Self { name: name.to_owned(), alpn, is_h2, terminate, is_verbatim: true, moves: Vec::new() }
    }

    /// The terminating carrier passes what it means, in other bytes.
    #[must_use]
    pub fn terminate_alike(self) -> Self {
        Self { terminate: Terminate::Alike, ..self }
    }

    /// It holds for the verbatim carrier alone.
    #[must_use]
    pub fn only_verbatim(self) -> Self {
        Self { terminate: Terminate::Never, ..self }
    }

    /// It holds for the terminating carrier alone.
    #[must_use]
    pub fn only_terminate(self) -> Self {
        Self { is_verbatim: false, ..self }
    }

    /// Adds a move of `play.py`.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
    pub fn then(mut self, of: &str, arguments: Value) -> Self {
        let mut step = vec![json!(of)];
        step.extend(arguments.as_array().cloned().unwrap_or_default());
        self.moves.push(Value::Array(step));
        self
    }

    /// What the child sends arrives.
    #[must_use]
    pub fn child(self, sent: impl AsRef<[u8]>) -> Self {
        self.then("child", json!([bytes(sent)]))
    }

    /// What the server sends arrives.
    #[must_use]
    pub fn server(self, sent: impl AsRef<[u8]>) -> Self {
        self.then("server", json!([bytes(sent)]))
    }

    /// The child sends what need not arrive.
    #[must_use]
    pub fn ask(self, sent: impl AsRef<[u8]>) -> Self {
        self.then("ask", json!([bytes(sent)]))
    }

    /// The server sends what need not arrive.
    #[must_use]
    pub fn tell(self, sent: impl AsRef<[u8]>) -> Self {
        self.then("tell", json!([bytes(sent)]))
    }

    /// The child gets a response of the agent's that begins so.
    #[must_use]
    pub fn answered(self, start: &str) -> Self {
        self.then("answered", json!([start]))
    }

    /// The child gets what begins so, and then its connection ends.
    #[must_use]
    pub fn closed(self, start: &str) -> Self {
        self.then("closed", json!([start]))
    }

    /// The server has got nothing.
    #[must_use]
    pub fn untouched(self) -> Self {
        self.then("untouched", json!([]))
    }

    /// `who` has sent all, and the other end hears it.
    #[must_use]
    pub fn end_of(self, who: &str) -> Self {
        self.then("end_of", json!([who]))
    }

    /// `who` resets the connection, and so it is for the other end.
    #[must_use]
    pub fn reset_of(self, who: &str) -> Self {
        self.then("reset_of", json!([who]))
    }

    /// The child gets this frame.
    #[must_use]
    pub fn frame(self, kind: u8, stream: u32, payload: impl AsRef<[u8]>) -> Self {
        self.then("frame", json!([kind, stream, bytes(payload)]))
    }

    /// What `who` does in HTTP/2 means the same at the other end.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
    pub fn meant(self, who: &str, operations: Value) -> Self {
        let mut arguments = vec![json!(who)];
        arguments.extend(operations.as_array().cloned().unwrap_or_default());
        self.then("meant", Value::Array(arguments))
    }

    fn holds_for(&self, carrier: &str) -> bool {
        if carrier == "verbatim" { self.is_verbatim } else { self.terminate != Terminate::Never }
    }

    fn script(&self, at: usize, carrier: &str) -> Value {
        let address = if at < 250 { format!("198.51.100.{}", at + 1) } else { format!("192.0.2.{}", at - 249) };
        let port = if self.alpn.is_some() { 443 } else { 80 };
        json!({
            "name": self.name,
            "address": [address, port],
            "alpn": self.alpn,
            "h2": self.is_h2,
            "strict": carrier == "verbatim" || self.terminate != Terminate::Alike,
            "moves": self.moves,
        })
    }

    fn failure(&self, carrier: &str, played: &Value) -> Option<String> {
        assert_eq!(played["name"], self.name.as_str());
        let error = played["error"].as_str().map(str::to_owned);
        let is_exact = played["exact"] == true;
        let unexpected = carrier == "terminate" && self.terminate == Terminate::Alike && is_exact;
        let error = error.or_else(|| unexpected.then(|| "is exact: the table says that it is only alike".to_owned()));
        error.map(|error| format!("- {}: {error}", self.name))
    }
}
