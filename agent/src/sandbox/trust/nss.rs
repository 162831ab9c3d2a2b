//! The user's NSS databases, where Chromium, Electron and their kin look: copied, given the authority, and mounted over
//! the originals. NSS keeps signatures over trust in its databases, so its own `certutil` does the work.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::sandbox::Error;
use crate::sandbox::session::{Mount, User};

/// Where the databases are, below the home directory: Chromium's place since release 146, and the one before, which
/// Chromium goes on using where it exists.
const DATABASES: &[&str] = &[".local/share/pki/nssdb", IF_NONE];
/// The one that every release uses where it exists and the other does not.
const IF_NONE: &str = ".pki/nssdb";

/// The places of the user's databases: those that exist; if none does, the one that Chromium would then use.
pub struct Databases(Vec<PathBuf>);

impl Databases {
    /// Finds the user's databases.
    #[must_use]
    pub fn of(user: &User) -> Self {
        let places = DATABASES.iter().map(|database| user.home.join(database));
        let existing: Vec<PathBuf> = places.filter(|database| database.is_dir()).collect();
        if existing.is_empty() { Self(vec![user.home.join(IF_NONE)]) } else { Self(existing) }
    }

    /// The databases' directories and those that they are in, below the home directory, outermost first: what has to be
    /// there for there to be something to mount over.
    #[must_use]
    pub fn directories(&self, user: &User) -> Vec<PathBuf> {
        let ancestors = self.0.iter().flat_map(|place| place.ancestors());
        let mut directories: Vec<PathBuf> =
            ancestors.filter(|path| path.starts_with(&user.home) && *path != user.home).map(Path::to_owned).collect();
        directories.sort();
        directories.dedup();
        directories
    }

    /// Copies each database below `directory`, or makes one, and adds the authority. All of it happens as the user, who
    /// may have put anything in the place of a file.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no `certutil`, or what failed.
    pub fn prepare(&self, directory: &Path, ca: &Path, user: &User) -> Result<Vec<Mount>, Error> {
        let mount = |(index, place): (usize, &PathBuf)| {
            let copy = directory.join(format!("nss-{index}"));
            std::fs::create_dir(&copy).map_err(Error::file("create", &copy))?;
            std::os::unix::fs::chown(&copy, Some(user.uid), Some(user.gid)).map_err(Error::file("give away", &copy))?;
            fill(&copy, place, user)?;
            add(&copy, ca, user)?;
            Ok(Mount { source: copy, target: place.clone() })
        };
        self.0.iter().enumerate().map(mount).collect()
    }
}

/// Copies what is in the user's database, or makes the directory that will be mounted over.
fn fill(copy: &Path, place: &Path, user: &User) -> Result<(), Error> {
    if !place.exists() {
        return run(as_user("mkdir", user).args(["-p", "--"]).arg(place));
    }
    let files = ["cert9.db", "key4.db", "pkcs11.txt"].map(|file| place.join(file));
    let mut existing = files.iter().filter(|file| file.exists());
    existing.try_for_each(|file| run(as_user("cp", user).arg("--").arg(file).arg(copy)))
}

/// `-t C,,`: trusted to issue server certificates, nothing else. A database that is not there is made, without a
/// password.
fn add(database: &Path, ca: &Path, user: &User) -> Result<(), Error> {
    let mut certutil = as_user("certutil", user);
    certutil.arg("-A").arg("-d").arg(format!("sql:{}", database.display()));
    certutil.args(["-n", "agent session CA", "-t", "C,,", "-f", "/dev/null", "-i"]).arg(ca);
    run(&mut certutil)
}

#[expect(clippy::disallowed_methods, reason = "NSS databases are written by NSS's own tool")]
fn as_user(program: &str, user: &User) -> Command {
    let mut command = Command::new(program);
    command.uid(user.uid).gid(user.gid).env("HOME", &user.home).current_dir("/").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Result<(), Error> {
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Missing {
            what: "`certutil` is not installed, so Chromium and Electron programs will not trust the session".into(),
            remedy: "install libnss3-tools (Debian), nss-tools (Fedora) or nss (Arch)",
        },
        _ => Error::system("change an NSS database")(error),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::system("add the authority to an NSS database")(io::Error::other(said)))
}
