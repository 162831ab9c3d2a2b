//! Clients and servers from PyPI, npm and Java: how their programs are started, in `programs/` and with what
//! `cargo xtask setup` has installed below `target/clients`; and the origins that they talk to.

use std::path::Path;

use crate::lab::Lab;
use crate::session::Session;
use crate::tools;

/// Where each origin is reached, on port 443: its name and address.
const NODE: (&str, &str) = ("node.test", "198.51.100.30");
const GRPC_JS: (&str, &str) = ("grpc-js.test", "198.51.100.31");
const GRPCIO: (&str, &str) = ("grpcio.test", "198.51.100.32");

/// A program that is started with names of checks, and says of each that it is right.
#[derive(Clone)]
pub struct Client(Vec<String>);

impl Client {
    /// A program of `programs/python/`.
    ///
    /// # Panics
    /// If the virtual environment is not there.
    #[must_use]
    pub fn python(program: &str) -> Self {
        // It would leave compiled modules beside the sources.
        let no_bytecode = "-B".to_owned();
        Self(vec![installed("python/bin/python"), no_bytecode, tools::program(&format!("python/{program}"))])
    }

    /// A program of `programs/node/`.
    ///
    /// # Panics
    /// If its modules are not there.
    #[must_use]
    pub fn node(program: &str) -> Self {
        let modules = format!("NODE_PATH={}", installed("node/node_modules"));
        Self(vec!["env".into(), modules, "node".into(), tools::program(&format!("node/{program}"))])
    }

    /// A source of `programs/java/`.
    #[must_use]
    pub fn java(program: &str) -> Self {
        Self(vec!["java".into(), tools::program(&format!("java/{program}"))])
    }

    /// Adds an argument before the checks.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.0.push(argument.to_owned());
        self
    }

    /// Its command line.
    #[must_use]
    pub fn argv<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        self.0.iter().map(String::as_str).chain(args.iter().copied()).collect()
    }

    /// Runs checks in a session and asserts that each is right.
    ///
    /// # Panics
    /// If one is not.
    #[track_caller]
    pub fn check(&self, session: &Session<'_>, checks: &[&str]) {
        let output = session.exec(&self.argv(checks));
        let expect: String = checks.iter().map(|check| format!("{check} is right\n")).collect();
        assert_eq!(output.ok(), expect, "{output:#?}");
    }
}

impl Lab {
    /// Nothing but the DNS server and `programs/node/server.js` for `node.test`.
    #[must_use]
    pub fn with_node() -> Self {
        let mut lab = Self::bare();
        lab.serve_dns();
        let repositories = lab.scratch.file("repositories");
        lab.origin(&Client::node("server.js"), NODE, &[&repositories]);
        lab
    }

    /// Nothing but the DNS server and gRPC servers for `grpc-js.test` and `grpcio.test`, which do the same.
    #[must_use]
    pub fn with_grpc() -> Self {
        let mut lab = Self::bare();
        lab.serve_dns();
        lab.origin(&Client::node("grpc_server.js"), GRPC_JS, &[]);
        lab.origin(&Client::python("grpc_server.py"), GRPCIO, &[]);
        lab
    }

    /// Nothing but the DNS server and `programs/node/messages.js` for `node.test` and `grpc-js.test`, which write down what
    /// they send and get in these files.
    #[must_use]
    pub fn with_messages() -> (Self, [String; 2]) {
        let mut lab = Self::bare();
        lab.serve_dns();
        let logs = ["http.messages", "grpc.messages"].map(|name| lab.scratch.write(name, ""));
        for (kind, origin, log) in [("http", NODE, &logs[0]), ("grpc", GRPC_JS, &logs[1])] {
            lab.origin(&Client::node("messages.js").arg(kind), origin, &[log]);
        }
        (lab, logs)
    }

    /// Nothing but the DNS server and `programs/python/schema.py` for `grpcio.test`.
    #[must_use]
    pub fn with_schema() -> Self {
        let mut lab = Self::bare();
        lab.serve_dns();
        lab.origin(&Client::python("schema.py"), GRPCIO, &[]);
        lab
    }

    /// Nothing but the DNS server and `programs/python/typed.py` for `grpcio.test`.
    #[must_use]
    pub fn with_typed() -> Self {
        let mut lab = Self::bare();
        lab.serve_dns();
        lab.origin(&Client::python("typed.py"), GRPCIO, &[]);
        lab
    }

    fn origin(&mut self, program: &Client, (name, address): (&str, &str), args: &[&str]) {
        let (certificate, key) = self.authority.issue(&self.scratch, name, &format!("DNS:{name}"));
        self.serve(&program.argv(&[&[&certificate, &key, address], args].concat()));
    }
}

/// A path below `target/clients`.
fn installed(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients").join(path);
    assert!(path.exists(), "`{}` is missing; run `cargo xtask setup`", path.display());
    path.to_string_lossy().into_owned()
}
