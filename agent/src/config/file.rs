//! The file of `--config`: settings and rules in TOML, checked whole before anything is made. What is unknown in it is
//! refused.

use std::cell::RefCell;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use toml::Spanned;

use super::capture;
use super::document::{self, Mistake, line};
use super::include::Included;
use super::invoker;
use crate::engine::decode::protobuf::schema::Schema;
use crate::engine::edit;
use crate::engine::hex::hex;
use crate::engine::policy::host::HostPattern;
use crate::engine::policy::network::NetworkRules;
use crate::engine::policy::rules::Rules;
use crate::engine::policy::rules::example::Example;
use crate::engine::policy::rules::mock::MAX_FILE;
use crate::engine::policy::rules::rule::{Rule, Verdict};
use crate::engine::policy::{OnPinned, Refuse};
use crate::engine::script::Script;
use crate::proxy::ClientCertificate;

/// What the file sets.
#[derive(Default)]
pub struct Settings {
    /// `on_pinned`; without it the mode decides.
    pub on_pinned: Option<OnPinned>,
    /// `refuse`; `answer` without it.
    pub refuse: Option<Refuse>,
    /// `check_addresses`; true without it.
    pub check_addresses: bool,
    /// `[capture]`.
    pub capture: capture::Settings,
    /// `[[client_certificate]]`, in the file's order.
    pub client_certificates: Vec<ClientCertificate>,
    /// Variables of the environment that rules take values from: not the command's to see.
    pub variables: Vec<String>,
    /// `schema`: what messages of gRPC are made of.
    pub schema: Schema,
    /// `[network]`.
    pub network: NetworkRules,
    /// `[[rule]]`, in the order in which they count: the file's own, then those of `include`.
    pub rules: Rules,
    /// `[[example]]` of the file itself, each with the line that it begins in.
    pub examples: Vec<(usize, Example)>,
    /// A SHA-256, in hexadecimal, of the rules and all that they say.
    pub hash: String,
    /// The files that were read for it: itself, and those that it names.
    pub files: Vec<PathBuf>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("`--config {}`: cannot read the file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something in it is wrong, or in what it includes: one file at least.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Wrong>),
}

/// What is wrong with a file.
#[derive(Debug)]
pub struct Wrong {
    /// The file, or the name of a profile.
    pub path: PathBuf,
    /// One at least, in its order.
    pub mistakes: Vec<Mistake>,
}

impl Wrong {
    /// What is wrong with the file at `path`, if anything is.
    pub(super) fn new(path: &Path, mistakes: Vec<Mistake>) -> Option<Self> {
        (!mistakes.is_empty()).then(|| Self { path: path.to_owned(), mistakes: document::in_order(mistakes) })
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |mistake: &Mistake| format!("{}:{}:{}", self.path.display(), mistake.line, mistake.column);
        let lines = self.mistakes.iter().map(|mistake| format!("{}: {}", place(mistake), mistake.what));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    include: Vec<Spanned<String>>,
    on_pinned: Option<OnPinned>,
    refuse: Option<Refuse>,
    check_addresses: Option<bool>,
    #[serde(default)]
    capture: capture::Settings,
    #[serde(default)]
    schema: Vec<Spanned<PathBuf>>,
    network: Option<Spanned<NetworkRules>>,
    #[serde(default)]
    client_certificate: Vec<Entry>,
    #[serde(default)]
    rule: Vec<Spanned<Rule>>,
    #[serde(default)]
    example: Vec<Spanned<Example>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    host: HostPattern,
    cert: Spanned<PathBuf>,
    key: Spanned<PathBuf>,
}

/// Reads the file at `path` and the files that it names; those are found from its folder.
///
/// # Errors
/// Everything that is wrong, with its place.
pub fn read(path: &Path) -> Result<Settings, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let files = RefCell::new(vec![path.to_owned()]);
    let file = |named: &Path| {
        files.borrow_mut().push(named.to_owned());
        fs::read(named)
    };
    let settings = parse(path, &text, &Around { file: &file, variable: &invoker::variable, addresses: &resolve })?;
    Ok(Settings { files: files.into_inner(), ..settings })
}

/// What a file may name.
pub struct Around<'a> {
    /// The content of a file.
    pub file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// The value of a variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The addresses of a host.
    pub addresses: &'a dyn Fn(&str) -> io::Result<Vec<IpAddr>>,
}

/// The addresses of a host, as this machine finds them.
fn resolve(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = (host, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    addresses.dedup();
    Ok(addresses)
}

/// What `text` sets, the content of the file at `path`, with what it names.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, text: &str, around: &Around<'_>) -> Result<Settings, Error> {
    let document: Document = document::read(text).map_err(|mistakes| wrong(path, mistakes, Vec::new()))?;
    let source = Source::new(path, text, around);
    let certificates = document.client_certificate.into_iter().map(|entry| source.client_certificate(entry));
    let (good, bad): (Vec<_>, Vec<_>) = certificates.partition(Result::is_ok);
    let mut mistakes: Vec<Mistake> = bad.into_iter().filter_map(Result::err).collect();
    let schema = source.schema(&document.schema).map_err(|mistake| mistakes.push(mistake)).unwrap_or_default();
    let network = document.network;
    mistakes.extend(network.as_ref().and_then(|network| {
        let invalid = network.as_ref().check().err()?;
        Some(Mistake::at(text, &network.span(), invalid.to_string()))
    }));
    let network = network.map(Spanned::into_inner).unwrap_or_default();
    let (mut rules, in_rules) = source.rules(document.rule);
    mistakes.extend(in_rules);
    let mut included = Included::new(path, around);
    mistakes.extend(included.take_in(&source, &document.include));
    if !mistakes.is_empty() || !included.wrong.is_empty() {
        return Err(wrong(path, mistakes, included.wrong));
    }
    rules.extend(included.rules);
    let variables = rules.iter_mut().flat_map(variables).collect();
    let (on_pinned, refuse, capture) = (document.on_pinned, document.refuse, document.capture);
    let client_certificates = good.into_iter().flatten().collect();
    let examples = document.example.into_iter().map(|example| (line(text, &example.span()), example.into_inner()));
    let (examples, rules) = (examples.collect(), Rules::from(rules));
    let hash = hash(&network, &rules);
    let check_addresses = document.check_addresses.unwrap_or(true);
    Ok(Settings {
        check_addresses,
        variables,
        schema,
        on_pinned,
        refuse,
        capture,
        client_certificates,
        network,
        rules,
        examples,
        hash,
        files: Vec::new(),
    })
}

/// What is wrong with a file, and with what it includes.
fn wrong(path: &Path, mistakes: Vec<Mistake>, included: Vec<Wrong>) -> Error {
    Error::Wrong(Wrong::new(path, mistakes).into_iter().chain(included).collect())
}

/// The variables that a rule takes values from.
fn variables(rule: &mut Rule) -> impl Iterator<Item = String> {
    rule.request.secrets().chain(rule.response.secrets()).filter_map(|(from, _)| match from {
        edit::Source::Env(name) => Some(name.clone()),
        edit::Source::File(_) => None,
    })
}

fn hash(network: &NetworkRules, rules: &Rules) -> String {
    let json = serde_json::to_vec(&(network, rules)).unwrap_or_default();
    hex(digest(&SHA256, &json).as_ref())
}

/// A file, for messages about it.
pub(super) struct Source<'a> {
    /// Where what it names is found.
    pub folder: &'a Path,
    /// Its content.
    pub text: &'a str,
    around: &'a Around<'a>,
}

impl<'a> Source<'a> {
    /// The file at `path`.
    pub(super) fn new(path: &'a Path, text: &'a str, around: &'a Around<'a>) -> Self {
        Self { folder: path.parent().unwrap_or(Path::new("")), text, around }
    }

    /// Its rules, with all that they name, and what is wrong with them.
    pub(super) fn rules(&self, rules: Vec<Spanned<Rule>>) -> (Vec<Rule>, Vec<Mistake>) {
        let mut mistakes = Vec::new();
        let mut filled = |rule: Spanned<Rule>| {
            let place = rule.span();
            let mut rule = rule.into_inner();
            mistakes.extend(self.fill(&mut rule, &place).err());
            rule
        };
        let rules = rules.into_iter().map(&mut filled).collect();
        (rules, mistakes)
    }

    fn client_certificate(&self, entry: Entry) -> Result<ClientCertificate, Mistake> {
        let pem = self.named(&entry.cert)?;
        let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let chain = parsed.unwrap_or_default();
        if chain.is_empty() {
            return Err(self.wrong(&entry.cert, "has no certificate in PEM (`-----BEGIN CERTIFICATE-----`)"));
        }
        let pem = self.named(&entry.key)?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
            self.wrong(&entry.key, &format!("has no private key in PEM, without a passphrase: {error}"))
        })?;
        CertifiedKey::from_der(chain.clone(), key, &default_provider())
            .map_err(|error| self.wrong(&entry.key, &format!("is not the key of `cert`: {error}")))?;
        Ok(ClientCertificate {
            host: entry.host,
            chain: chain.into_iter().map(|certificate| certificate.to_vec()).collect(),
            key_pem: String::from_utf8_lossy(&pem).into_owned(),
        })
    }

    /// Checks a rule and reads what it names.
    fn fill(&self, rule: &mut Rule, place: &Range<usize>) -> Result<(), Mistake> {
        let wrong = |what: String| Mistake::at(self.text, place, what);
        rule.check().map_err(|error| wrong(error.to_string()))?;
        if let Some(Verdict::Mock(mock)) = &mut rule.verdict
            && let Some((path, content)) = mock.file()
        {
            let read = (self.around.file)(&self.folder.join(path));
            let read = read.map_err(|error| wrong(format!("`{}` cannot be read: {error}", path.display())))?;
            if read.len() > MAX_FILE {
                return Err(wrong(format!("`{}` has more than {MAX_FILE} bytes", path.display())));
            }
            *content = Some(read);
        }
        if let Some(Verdict::Redirect(redirect)) = &mut rule.verdict
            && redirect.addresses.is_empty()
        {
            let host = redirect.to.host();
            let found = (self.around.addresses)(host);
            let found = found.map_err(|error| {
                wrong(format!("`{host}` is not found: {error}; give it `addresses` if only the session can find it"))
            })?;
            redirect.addresses = found;
        }
        if let Some(path) = &rule.script {
            let read = (self.around.file)(&self.folder.join(path));
            let read = read.map_err(|error| wrong(format!("`{}` cannot be read: {error}", path.display())))?;
            let source =
                String::from_utf8(read).map_err(|_invalid| wrong(format!("`{}` is no text", path.display())))?;
            let begun = Instant::now();
            let script = Script::new(&path.display().to_string(), &source, move || begun.elapsed());
            rule.loaded = Some(Box::new(script.map_err(|error| wrong(error.to_string()))?));
        }
        for (from, found) in rule.request.secrets().chain(rule.response.secrets()) {
            *found = Some(self.secret(from).map_err(wrong)?);
        }
        Ok(())
    }

    /// What the environment or a file has, without space around it.
    fn secret(&self, source: &edit::Source) -> Result<String, String> {
        let found = match source {
            edit::Source::Env(name) => (self.around.variable)(name),
            edit::Source::File(path) => {
                let content = (self.around.file)(&self.folder.join(path));
                let content = content.map_err(|error| format!("{source} cannot be read: {error}"))?;
                String::from_utf8(content).ok().and_then(|text| text.lines().next().map(str::to_owned))
            }
        };
        let found = found.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        found.ok_or_else(|| {
            format!("{source} has no text; set it where `agent run` is started, as with `sudo --preserve-env`")
        })
    }

    /// What messages are made of, by all files that are named.
    fn schema(&self, files: &[Spanned<PathBuf>]) -> Result<Schema, Mistake> {
        let mut schema = Schema::default();
        let mut sources = Vec::new();
        for file in files {
            let content = self.named(file)?;
            if file.as_ref().extension().is_some_and(|extension| extension == "proto") {
                let text = String::from_utf8(content).map_err(|_invalid| self.wrong(file, "is no text"))?;
                sources.push((file.as_ref().to_string_lossy().into_owned(), text));
            } else {
                let added = schema.add_descriptor_set(&content);
                added.map_err(|error| self.wrong(file, &format!("cannot be used: {error}")))?;
            }
        }
        let Some(first) = files.first().filter(|_| !sources.is_empty()) else { return Ok(schema) };
        let added = schema.add_sources(&sources);
        added.map_err(|error| Mistake::at(self.text, &first.span(), error.to_string()))?;
        Ok(schema)
    }

    /// Reads a file that the file names.
    fn named(&self, name: &Spanned<PathBuf>) -> Result<Vec<u8>, Mistake> {
        let content = (self.around.file)(&self.folder.join(name.as_ref()));
        content.map_err(|error| self.wrong(name, &format!("cannot be read: {error}")))
    }

    fn wrong(&self, name: &Spanned<PathBuf>, what: &str) -> Mistake {
        Mistake::at(self.text, &name.span(), format!("`{}` {what}", name.as_ref().display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a certificate, its key and another key.
    fn folder() -> tempfolder::Folder {
        let folder = tempfolder::Folder::new();
        let certified = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
        folder.write("cert.pem", &certified.cert.pem());
        folder.write("key.pem", &certified.signing_key.serialize_pem());
        folder.write("other.pem", &rcgen::KeyPair::generate().unwrap().serialize_pem());
        folder
    }

    #[test]
    fn settings_are_read_and_files_found_beside() {
        let folder = folder();
        let text = "on_pinned = \"refuse\"\nrefuse = \"drop\"\n[[client_certificate]]\nhost = \"*.Example\"\ncert = \"cert.pem\"\nkey = \"key.pem\"\n";
        let settings = read(&folder.write("agent.toml", text)).unwrap();
        assert_eq!((settings.on_pinned, settings.refuse), (Some(OnPinned::Refuse), Some(Refuse::Drop)));
        let [certificate] = &settings.client_certificates[..] else { panic!("one certificate") };
        assert!(certificate.host.matches("a.example") && certificate.chain.len() == 1);
        assert!(read(&folder.write("agent.toml", "")).unwrap().on_pinned.is_none());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let folder = folder();
        let entry = |host: &str, cert: &str, key: &str| {
            format!("[[client_certificate]]\nhost = \"{host}\"\ncert = \"{cert}\"\nkey = \"{key}\"\n")
        };
        let table = [
            ("on_pinned = \"maybe\"".to_owned(), "1:13: unknown variant `maybe`"),
            ("refuse = \"never\"".to_owned(), "1:10: unknown variant `never`"),
            ("\n  pinned = 1".to_owned(), "2:3: unknown field `pinned`"),
            ("on_pinned = ".to_owned(), "1:13: "),
            (entry("a b", "cert.pem", "key.pem"), "2:8: `a b` names no host"),
            (entry("a", "absent.pem", "key.pem"), "3:8: `absent.pem` cannot be read"),
            (entry("a", "key.pem", "key.pem"), "3:8: `key.pem` has no certificate"),
            (entry("a", "cert.pem", "cert.pem"), "4:7: `cert.pem` has no private key"),
            (entry("a", "cert.pem", "other.pem"), "4:7: `other.pem` is not the key"),
            ("[[client_certificate]]\nhost = \"a\"\n".to_owned(), "1:1: missing field `cert`"),
        ];
        for (text, expected) in table {
            let path = folder.write("agent.toml", &text);
            let error = read(&path).err().unwrap().to_string();
            assert!(error.starts_with(&format!("{}:{expected}", path.display())), "{text}: {error}");
        }
        let both =
            "refuse = 'never'\n[[client_certificate]]\nhost = 'a b'\ncert = 'x'\nkey = 'y'\n[[rule]]\nverdict = 'no'\n";
        assert_eq!(read(&folder.write("agent.toml", both)).err().unwrap().to_string().lines().count(), 3);
        let absent = entry("a", "one.pem", "k") + &entry("b", "two.pem", "k");
        assert_eq!(read(&folder.write("agent.toml", &absent)).err().unwrap().to_string().lines().count(), 2);
        assert!(matches!(read(Path::new("/nonexistent")), Err(Error::Unreadable { .. })));
    }

    mod tempfolder {
        use std::path::PathBuf;
        use std::sync::atomic::{AtomicU32, Ordering};

        /// A folder that goes with its value.
        pub(super) struct Folder(PathBuf);

        impl Folder {
            pub(super) fn new() -> Self {
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let name = format!("agent-config-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                let path = std::env::temp_dir().join(name);
                std::fs::create_dir(&path).unwrap();
                Self(path)
            }

            pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
                let path = self.0.join(name);
                std::fs::write(&path, text).unwrap();
                path
            }
        }

        impl Drop for Folder {
            fn drop(&mut self) {
                std::fs::remove_dir_all(&self.0).unwrap();
            }
        }
    }
}
