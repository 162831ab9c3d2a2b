//! The file of `--config`: settings and rules in TOML, checked whole before anything is made. What is unknown in it is
//! refused.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use toml::Spanned;

use super::capture;
use super::document::{self, Mistake, line};
use crate::engine::policy::host::HostPattern;
use crate::engine::policy::rules::Rules;
use crate::engine::policy::rules::example::Example;
use crate::engine::policy::rules::rule::Rule;
use crate::engine::policy::{OnPinned, Refuse};
use crate::proxy::ClientCertificate;

/// What the file sets.
#[derive(Default)]
pub struct Settings {
    /// `on_pinned`; without it the mode decides.
    pub on_pinned: Option<OnPinned>,
    /// `refuse`; `answer` without it.
    pub refuse: Option<Refuse>,
    /// `[capture]`.
    pub capture: capture::Settings,
    /// `[[client_certificate]]`, in the file's order.
    pub client_certificates: Vec<ClientCertificate>,
    /// `[[rule]]`, in the file's order.
    pub rules: Rules,
    /// `[[example]]`, each with the line that it begins in.
    pub examples: Vec<(usize, Example)>,
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
    /// Something in it is wrong.
    #[error("{}", lines(path, mistakes))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// One at least, in its order.
        mistakes: Vec<Mistake>,
    },
}

fn lines(path: &Path, mistakes: &[Mistake]) -> String {
    let line = |mistake: &Mistake| format!("{}:{}:{}: {}", path.display(), mistake.line, mistake.column, mistake.what);
    mistakes.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    on_pinned: Option<OnPinned>,
    refuse: Option<Refuse>,
    #[serde(default)]
    capture: capture::Settings,
    #[serde(default)]
    client_certificate: Vec<Entry>,
    #[serde(default)]
    rule: Vec<Rule>,
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
    parse(path, &text, &|named| fs::read(named))
}

/// What `text` sets, the content of the file at `path`. `read` gives the content of a file that it names.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, text: &str, read: &dyn Fn(&Path) -> io::Result<Vec<u8>>) -> Result<Settings, Error> {
    let wrong = |mistakes| Error::Wrong { path: path.to_owned(), mistakes };
    let document: Document = document::read(text).map_err(wrong)?;
    let source = Source { folder: path.parent().unwrap_or(Path::new("")), text, read };
    let certificates = document.client_certificate.into_iter().map(|entry| source.client_certificate(entry));
    let (good, bad): (Vec<_>, Vec<_>) = certificates.partition(Result::is_ok);
    let mistakes: Vec<Mistake> = bad.into_iter().filter_map(Result::err).collect();
    if !mistakes.is_empty() {
        return Err(wrong(mistakes));
    }
    let (on_pinned, refuse, capture) = (document.on_pinned, document.refuse, document.capture);
    let client_certificates = good.into_iter().flatten().collect();
    let examples = document.example.into_iter().map(|example| (line(text, &example.span()), example.into_inner()));
    let (examples, rules) = (examples.collect(), document.rule.into());
    Ok(Settings { on_pinned, refuse, capture, client_certificates, rules, examples })
}

/// The file, for messages about it.
struct Source<'a> {
    folder: &'a Path,
    text: &'a str,
    read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

impl Source<'_> {
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

    /// Reads a file that the file names.
    fn named(&self, name: &Spanned<PathBuf>) -> Result<Vec<u8>, Mistake> {
        let content = (self.read)(&self.folder.join(name.as_ref()));
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
