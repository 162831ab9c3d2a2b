//! Makes the session's programs trust its certificate authority, and nobody else's: files below the session's
//! directory that are mounted over the system's in the commands' mount namespaces, and variables that point at them.

mod bundle;
mod java;
mod mirror;
pub mod nss;
mod subject_hash;
mod variables;

pub use self::variables::JOINED;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Error;
use super::session::Mount;

/// Files that hold the system's roots in PEM, by distribution. Each that exists is replaced.
const BUNDLES: &[&str] = &[
    // Debian, Ubuntu, Alpine, Arch, NixOS.
    "/etc/ssl/certs/ca-certificates.crt",
    // Fedora, RHEL.
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/tls/cert.pem",
    // openSUSE.
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    // Alpine, macOS-like layouts.
    "/etc/ssl/cert.pem",
    // Arch.
    "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
    // NixOS.
    "/etc/ssl/certs/ca-bundle.crt",
];

/// Java's trust stores, by distribution.
const JAVA_STORES: &[&str] = &[
    "/etc/ssl/certs/java/cacerts",
    "/etc/pki/ca-trust/extracted/java/cacerts",
    "/etc/pki/java/cacerts",
    "/etc/ca-certificates/extracted/java-cacerts.jks",
    "/etc/ssl/certs/java/cacerts.jks",
];

/// The directory in which OpenSSL looks certificates up by the hash of their subject.
const HASHED: &str = "/etc/ssl/certs";

/// What the session's programs are shown.
pub struct Trust {
    /// Where the files are.
    pub directory: PathBuf,
    /// The authority's certificate alone, in PEM.
    pub ca: PathBuf,
    /// What is mounted over what.
    pub mounts: Vec<Mount>,
    /// What is set.
    pub variables: BTreeMap<String, String>,
    replacements: Vec<Mount>,
}

/// Writes the session's trust stores below `directory`.
///
/// # Errors
/// If a file cannot be read or written, or `ca_pem` is no certificate.
pub fn prepare(directory: &Path, ca_pem: &str) -> Result<Trust, Error> {
    let paths = Paths::below(directory);
    fs::create_dir_all(&paths.php).map_err(Error::file("create", &paths.php))?;
    let roots = bundle::system_roots(BUNDLES);
    let ca = bundle::certificate(ca_pem)?;
    write(&paths.ca, ca_pem.as_bytes())?;
    write(&paths.bundle, &bundle::pem(&roots, ca_pem))?;
    write(&paths.java, &java::key_store(roots.iter().chain([&ca])))?;
    write(&paths.php.join("agent.ini"), variables::php_ini(&paths.bundle).as_bytes())?;
    let mut replacements = replacements(&paths);
    hashed_directory(&paths, &ca, &replacements)?;
    let hashed = fs::canonicalize(HASHED).ok().map(|target| Mount { source: paths.hashed.clone(), target });
    replacements.extend(hashed);
    let mounts = outermost(&replacements);
    let (directory, variables) = (directory.to_owned(), variables::all(&paths));
    Ok(Trust { directory, variables, ca: paths.ca, mounts, replacements })
}

/// Fills `/etc/netns/NAME`, which `ip netns exec` mounts over `/etc` entry by entry.
///
/// # Errors
/// If a file cannot be written.
pub fn for_ip_netns(directory: &Path, trust: &Trust) -> Result<(), Error> {
    for tree in ["ssl", "pki", "ca-certificates"] {
        let source = Path::new("/etc").join(tree);
        if source.is_dir() {
            mirror::mirror(&source, &directory.join(tree), &trust.replacements)?;
        }
    }
    Ok(())
}

/// Where things are below the session's directory.
struct Paths {
    ca: PathBuf,
    bundle: PathBuf,
    java: PathBuf,
    php: PathBuf,
    hashed: PathBuf,
}

impl Paths {
    fn below(directory: &Path) -> Self {
        Self {
            ca: directory.join("ca.pem"),
            bundle: directory.join("bundle.pem"),
            java: directory.join("cacerts"),
            php: directory.join("php"),
            hashed: directory.join("certs"),
        }
    }
}

/// Which of the system's stores are replaced by which of ours. Links are followed, since a mount follows them too.
fn replacements(paths: &Paths) -> Vec<Mount> {
    let of = |stores: &'static [&'static str], source: &PathBuf| {
        let existing = stores.iter().filter_map(|store| fs::canonicalize(store).ok());
        existing.map(|target| Mount { source: source.clone(), target }).collect::<Vec<_>>()
    };
    let mut all = of(BUNDLES, &paths.bundle);
    all.extend(of(JAVA_STORES, &paths.java));
    all.sort_by(|a, b| a.target.cmp(&b.target));
    all.dedup();
    all
}

/// A copy of the hashed directory with the authority in it.
fn hashed_directory(paths: &Paths, ca: &[u8], replacements: &[Mount]) -> Result<(), Error> {
    match fs::canonicalize(HASHED) {
        Ok(source) => mirror::mirror(&source, &paths.hashed, replacements)?,
        Err(_) => fs::create_dir_all(&paths.hashed).map_err(Error::file("create", &paths.hashed))?,
    }
    let link = paths.hashed.join(format!("{:08x}.0", subject_hash::subject_hash(ca)?));
    match fs::remove_file(&link) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::file("remove", &link)(error)),
        _ => {}
    }
    std::os::unix::fs::symlink(&paths.ca, &link).map_err(Error::file("create", &link))
}

/// The replacements that lie in no other: a directory is mounted as a whole.
fn outermost(replacements: &[Mount]) -> Vec<Mount> {
    let inside =
        |target: &Path| replacements.iter().any(|outer| outer.target != target && target.starts_with(&outer.target));
    replacements.iter().filter(|mount| !inside(&mount.target)).cloned().collect()
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    fs::write(path, content).map_err(Error::file("write", path))
}
