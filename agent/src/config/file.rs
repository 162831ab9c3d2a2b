//! The file of `--config`: settings in TOML, checked whole before anything is made. What is unknown in it is refused.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::Deserialize;
use toml::Spanned;

use super::capture;
use crate::engine::policy::host::HostPattern;
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
    #[error("{}:{line}:{column}: {what}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong, and what to write instead.
        what: String,
    },
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
/// The first thing that is wrong, with its place.
pub fn read(path: &Path) -> Result<Settings, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    parse(path, &text, &|named| fs::read(named))
}

/// What `text` sets, the content of the file at `path`. `read` gives the content of a file that it names.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, text: &str, read: &dyn Fn(&Path) -> io::Result<Vec<u8>>) -> Result<Settings, Error> {
    let source = Source { path, text, read };
    let document: Document = toml::from_str(text).map_err(|error| {
        source.wrong(error.span().unwrap_or_default(), error.message().trim_end_matches('.').to_owned())
    })?;
    let certificates = document.client_certificate.into_iter().map(|entry| source.client_certificate(entry));
    let (on_pinned, refuse, capture) = (document.on_pinned, document.refuse, document.capture);
    Ok(Settings { on_pinned, refuse, capture, client_certificates: certificates.collect::<Result<_, _>>()? })
}

/// The file, for messages about it.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

impl Source<'_> {
    fn client_certificate(&self, entry: Entry) -> Result<ClientCertificate, Error> {
        let pem = self.named(&entry.cert)?;
        let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let chain = parsed.unwrap_or_default();
        if chain.is_empty() {
            return Err(self.file(&entry.cert, "has no certificate in PEM (`-----BEGIN CERTIFICATE-----`)"));
        }
        let pem = self.named(&entry.key)?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
            self.file(&entry.key, &format!("has no private key in PEM, without a passphrase: {error}"))
        })?;
        CertifiedKey::from_der(chain.clone(), key, &default_provider())
            .map_err(|error| self.file(&entry.key, &format!("is not the key of `cert`: {error}")))?;
        Ok(ClientCertificate {
            host: entry.host,
            chain: chain.into_iter().map(|certificate| certificate.to_vec()).collect(),
            key_pem: String::from_utf8_lossy(&pem).into_owned(),
        })
    }

    /// Reads a file that the file names.
    fn named(&self, name: &Spanned<PathBuf>) -> Result<Vec<u8>, Error> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        (self.read)(&folder.join(name.as_ref())).map_err(|error| self.file(name, &format!("cannot be read: {error}")))
    }

    fn file(&self, name: &Spanned<PathBuf>, what: &str) -> Error {
        self.wrong(name.span(), format!("`{}` {what}", name.as_ref().display()))
    }

    fn wrong(&self, span: Range<usize>, what: String) -> Error {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or(before);
        Error::Wrong {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            what,
        }
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
