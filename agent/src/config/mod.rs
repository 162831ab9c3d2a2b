//! From what was typed to what is meant. The only place that reads the environment; everything is checked here, before
//! anything is made.

pub mod authority;
pub mod capture;
pub mod document;
pub mod file;
mod include;
pub mod invoker;
pub mod profiles;
pub mod schema;
mod writable;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::ebpf::dataplane::Attachment;
use crate::engine::policy::{Mode, Policy};
use crate::proxy::{Ca, ClientCertificate};
use crate::sandbox::allowances::{Allowance, Allowances};
use crate::sandbox::failpoint::Failpoint;
use crate::sandbox::name::Name;
use crate::sandbox::session::User;

/// A session that is to be run.
pub struct Run {
    /// Its name.
    pub name: Name,
    /// What it allows.
    pub policy: Policy,
    /// The file that has its settings and rules.
    pub file: Option<PathBuf>,
    /// That file, and those that it names.
    pub files: Vec<PathBuf>,
    /// The command and its arguments; empty to bring the namespace up and stay.
    pub command: Vec<OsString>,
    /// Who the command runs as.
    pub user: User,
    /// What the command's environment is made from.
    pub environment: Vec<(OsString, OsString)>,
    /// The certificate authority.
    pub ca: Ca,
    /// Roots to trust upstream besides the system's, in DER.
    pub upstream_roots: Vec<Vec<u8>>,
    /// What servers that ask for a client's certificate are shown.
    pub client_certificates: Vec<ClientCertificate>,
    /// Whom to forward DNS queries to.
    pub resolvers: Vec<SocketAddr>,
    /// Whether the session lasts until its last process has ended, not only the command.
    pub wait_all: bool,
    /// Where to keep the session's log after its end.
    pub log: Option<PathBuf>,
    /// What is recorded, if anything is.
    pub capture: Option<capture::Capture>,
    /// Where the session's packets go, with the keys of the child's TLS.
    pub pcap: Option<fs::File>,
    /// Where the keys of both sides' TLS go.
    pub keylog: Option<fs::File>,
    /// Where the verdicts go, behind those that are there.
    pub audit: Option<fs::File>,
    /// How the tc programs are attached, if not as the kernel offers.
    pub attachment: Option<Attachment>,
    /// What the commands may do beyond what every command may.
    pub allowances: Allowances,
    /// Those among them that were asked for, and of which the user is to be warned.
    pub warnings: Vec<Allowance>,
    /// Where the supervisor is to die, for tests.
    pub failpoint: Failpoint,
}

/// How many descriptors bringing a session up takes at most, with some to spare.
const DESCRIPTORS: usize = 128;

/// What was typed, as far as it needs checking.
pub struct RunInput {
    /// `--netns`.
    pub name: String,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--mode` and `--carrier`.
    pub policy: Policy,
    /// `--user`.
    pub user: Option<String>,
    /// `--upstream-ca`.
    pub upstream_ca: Vec<PathBuf>,
    /// `--dns`.
    pub dns: Vec<String>,
    /// `--ca-cert`.
    pub ca_cert: Option<PathBuf>,
    /// `--ca-key`.
    pub ca_key: Option<PathBuf>,
    /// `--wait-all`.
    pub wait_all: bool,
    /// `--log`.
    pub log: Option<PathBuf>,
    /// `--capture`, `--no-capture`, `--redact`.
    pub capture: capture::Input,
    /// `--pcap`.
    pub pcap: Option<PathBuf>,
    /// `--keylog`.
    pub keylog: Option<PathBuf>,
    /// `--audit`.
    pub audit: Option<PathBuf>,
    /// `--tc`.
    pub attachment: Option<Attachment>,
    /// `--allow-…`.
    pub allowances: Vec<Allowance>,
    /// What follows `--`.
    pub command: Vec<OsString>,
}

/// Why something that was typed cannot be meant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The agent was not started by root.
    #[error("`agent {0}` needs root; run it with sudo")]
    NotRoot(&'static str),
    /// Too few descriptors are free.
    #[error("a session needs {DESCRIPTORS} free file descriptors")]
    Descriptors(#[source] std::io::Error),
    /// The name of the session is not valid.
    #[error("cannot use this name for a session")]
    Name(#[source] crate::sandbox::name::Invalid),
    /// There is no such user.
    #[error("there is no user `{0}`; give a login name or a number that `getent passwd` knows")]
    NoUser(String),
    /// The user that the worker would become is root.
    #[error("user `{0}` is root; the worker must not be: give that user another number")]
    WorkerIsRoot(String),
    /// Users cannot be looked up.
    #[error("cannot look up user `{0}`")]
    UserLookup(String, #[source] nix::Error),
    /// A file cannot be read.
    #[error("`{option} {}`: cannot read the file", path.display())]
    File {
        /// The option that named it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("`{option} {}`: user `{user}` cannot write the file; name one that they can", path.display())]
    Unwritable {
        /// The option that named it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Who asked for it.
        user: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Two options name the same file.
    #[error("`--pcap` and `--keylog` name the same file; give each its own")]
    SameFile,
    /// A file has no certificate in PEM.
    #[error("`{option} {}`: the file has no certificate in PEM (`-----BEGIN CERTIFICATE-----`)", path.display())]
    NoCertificate {
        /// The option that named it.
        option: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The configuration file says something that cannot be meant.
    #[error(transparent)]
    Settings(#[from] file::Error),
    /// Certificate and key of the authority do not serve.
    #[error("{0}")]
    Authority(String),
    /// An address of a resolver cannot be read.
    #[error(
        "`--dns {0}`: give an address with an optional port, such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53"
    )]
    Resolver(String),
    /// There is nobody to forward DNS queries to.
    #[error("`/etc/resolv.conf` names no resolver; give one with `--dns ADDR`")]
    NoResolver,
}

/// Checks everything that was typed for `agent run`.
///
/// # Errors
/// The first thing that is wrong, and what to do about it.
pub fn run(input: RunInput) -> Result<Run, Error> {
    require_root("run")?;
    require_descriptors()?;
    let name = input.name.parse().map_err(Error::Name)?;
    let (user, environment) = invoker::invoker(input.user.as_deref())?;
    let ca = authority::authority(input.ca_cert.as_deref(), input.ca_key.as_deref())?;
    let mut upstream_roots = Vec::new();
    for path in &input.upstream_ca {
        upstream_roots.extend(certificates("--upstream-ca", path)?);
    }
    let resolvers = resolvers(&input.dns)?;
    let file = input.config.as_deref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    let settings = file.as_deref().map(file::read).transpose()?.unwrap_or_default();
    let is_kept = |(name, _): &(OsString, OsString)| !settings.variables.iter().any(|secret| name == secret.as_str());
    let environment: Vec<_> = environment.into_iter().filter(is_kept).collect();
    let capture = capture::capture(input.capture, settings.capture, &user, &environment);
    // Last: they are made if they are not there.
    let pcap = input.pcap.as_deref().map(|path| writable::open("--pcap", path)).transpose()?;
    let keylog = input.keylog.as_deref().map(|path| writable::open("--keylog", path)).transpose()?;
    let audit = input.audit.as_deref().map(|path| writable::append("--audit", path)).transpose()?;
    if pcap.as_ref().zip(keylog.as_ref()).is_some_and(|(pcap, keylog)| writable::is_same(pcap, keylog)) {
        return Err(Error::SameFile);
    }
    let RunInput { policy, wait_all, log, command, attachment, allowances: asked, .. } = input;
    Ok(Run {
        name,
        policy: Policy {
            on_pinned: settings.on_pinned.unwrap_or(policy.on_pinned),
            refuse: settings.refuse.unwrap_or(policy.refuse),
            checks_addresses: settings.check_addresses,
            network: settings.network,
            schema: settings.schema,
            rules: settings.rules,
            hash: settings.hash,
            ..policy
        },
        file,
        command,
        user,
        environment,
        ca,
        upstream_roots,
        files: settings.files,
        client_certificates: settings.client_certificates,
        resolvers,
        wait_all,
        log,
        capture,
        pcap,
        keylog,
        audit,
        attachment,
        allowances: allowances(policy.mode).and(&asked),
        warnings: asked,
        failpoint: failpoint(),
    })
}

/// What a session that began with `policy` is to allow, by what `file` says now, and the files that this is from. What
/// else the file sets takes another session.
///
/// # Errors
/// Everything that is wrong in the file.
pub fn reload(file: Option<&Path>, policy: &Policy) -> Result<(Policy, Vec<PathBuf>), Error> {
    let settings = file.map(file::read).transpose()?.unwrap_or_default();
    let on_pinned = settings.on_pinned.unwrap_or_else(|| policy.mode.on_pinned());
    let policy = Policy {
        on_pinned,
        checks_addresses: settings.check_addresses,
        network: settings.network,
        schema: settings.schema,
        rules: settings.rules,
        hash: settings.hash,
        ..policy.clone()
    };
    Ok((policy, settings.files))
}

/// What a mode allows of itself. Who only observes wants programs to work as they do outside: debuggers, browsers with
/// their own sandbox, desktop programs that talk to the session's bus and display; and rules that its user is writing.
fn allowances(mode: Mode) -> Allowances {
    match mode {
        Mode::Observe | Mode::DryRun => {
            [Allowance::UserNamespaces, Allowance::Ptrace, Allowance::Host, Allowance::OwnRules].into_iter().collect()
        }
        Mode::Enforce => Allowances::default(),
    }
}

/// Whether this process may make namespaces and load programs.
///
/// # Errors
/// [`Error::NotRoot`].
pub fn require_root(command: &'static str) -> Result<(), Error> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err(Error::NotRoot(command)) }
}

/// Whether this process may open what a session needs. Asked before anything is made: what fails for want of a
/// descriptor later on may be its removal.
///
/// # Errors
/// [`Error::Descriptors`].
fn require_descriptors() -> Result<(), Error> {
    let opened: std::io::Result<Vec<fs::File>> = (0..DESCRIPTORS).map(|_| fs::File::open("/dev/null")).collect();
    opened.map(drop).map_err(Error::Descriptors)
}

/// Whether a program of this name is on the search path.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "config is where the environment is read")]
pub fn program_exists(program: &OsStr) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// Where the environment wants the supervisor to die. Builds for release do not ask it.
fn failpoint() -> Failpoint {
    let asked = if cfg!(debug_assertions) { invoker::variable("AGENT_FAILPOINT") } else { None };
    asked.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Whether output may have colours where it is a terminal (<https://no-color.org>).
#[must_use]
pub fn wants_colour() -> bool {
    let is_set = |name| invoker::variable(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && invoker::variable("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// The variables that send programs to a proxy of their own, as far as they are set.
#[must_use]
pub fn proxy_variables() -> Vec<String> {
    let proxies = ["http_proxy", "https_proxy", "all_proxy"];
    let names = invoker::own().into_iter().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| proxies.contains(&name.to_ascii_lowercase().as_str())).collect()
}

/// Reads a file that an option named.
fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::File { option, path: path.to_owned(), source })
}

fn certificates(option: &'static str, path: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let pem = read(option, path)?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match parsed {
        Ok(certificates) if !certificates.is_empty() => {
            Ok(certificates.into_iter().map(|certificate| certificate.to_vec()).collect())
        }
        _ => Err(Error::NoCertificate { option, path: path.to_owned() }),
    }
}

fn resolvers(given: &[String]) -> Result<Vec<SocketAddr>, Error> {
    if !given.is_empty() {
        return given.iter().map(|text| resolver(text).ok_or_else(|| Error::Resolver(text.clone()))).collect();
    }
    let resolv_conf = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    match crate::dns::host_resolvers(&resolv_conf) {
        none if none.is_empty() => Err(Error::NoResolver),
        resolvers => Ok(resolvers),
    }
}

/// An address, with a port or without.
fn resolver(text: &str) -> Option<SocketAddr> {
    let bare = |text: &str| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53));
    text.parse().ok().or_else(|| bare(text)).filter(|resolver: &SocketAddr| resolver.port() != 0)
}

#[cfg(test)]
mod tests {
    use super::resolver;

    #[test]
    fn a_resolver_is_an_address_with_an_optional_port() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(resolver(text).map(|resolver| resolver.to_string()), expect.map(str::to_owned), "{text}");
        };
        check("192.0.2.53", Some("192.0.2.53:53"));
        check("192.0.2.53:5353", Some("192.0.2.53:5353"));
        check("2001:db8::53", Some("[2001:db8::53]:53"));
        check("[2001:db8::53]:54", Some("[2001:db8::53]:54"));
        for text in ["", "resolver.example", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:65536", "1.2.3", "[::1"] {
            check(text, None);
        }
    }
}
