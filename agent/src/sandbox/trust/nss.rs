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

/// The databases that a session's programs will see.
pub struct Databases {
    /// Those of the user's that exist; if none does, the one that Chromium would then use.
    places: Vec<PathBuf>,
    /// Whether they exist.
    exist: bool,
}

impl Databases {
    /// Finds the user's databases.
    #[must_use]
    pub fn of(user: &User) -> Self {
        let existing: Vec<PathBuf> =
            DATABASES.iter().map(|database| user.home.join(database)).filter(|database| database.is_dir()).collect();
        if existing.is_empty() {
            return Self { places: vec![user.home.join(IF_NONE)], exist: false };
        }
        Self { places: existing, exist: true }
    }

    /// Whether the user has any: then a program may read them as soon as it starts.
    #[must_use]
    pub fn exist(&self) -> bool {
        self.exist
    }

    /// Directories that have to be made for there to be something to mount over, outermost first.
    #[must_use]
    pub fn missing_directories(&self) -> Vec<PathBuf> {
        let ancestors = self.places.iter().flat_map(|place| place.ancestors());
        let mut missing: Vec<PathBuf> = ancestors.filter(|path| !path.exists()).map(Path::to_owned).collect();
        missing.sort();
        missing
    }

    /// Makes what is to be mounted: directories of the user's below `directory`, empty as yet.
    ///
    /// # Errors
    /// If a directory cannot be made.
    pub fn mounts(&self, directory: &Path, user: &User) -> Result<Vec<Mount>, Error> {
        let mount = |(index, place): (usize, &PathBuf)| {
            run(as_user("mkdir", user).args(["-p", "--"]).arg(place))?;
            let copy = directory.join(format!("nss-{index}"));
            std::fs::create_dir(&copy).map_err(Error::file("create", &copy))?;
            std::os::unix::fs::chown(&copy, Some(user.uid), Some(user.gid)).map_err(Error::file("give away", &copy))?;
            Ok(Mount { source: copy, target: place.clone() })
        };
        self.places.iter().enumerate().map(mount).collect()
    }
}

/// Copies each database to where it will be mounted from, or makes one, and adds the authority. All of it happens as
/// the user, who may have put anything in the place of a file.
///
/// # Errors
/// [`Error::Missing`] if there is no `certutil`, or what failed.
pub fn fill(mounts: &[Mount], ca: &Path, user: &User) -> Result<(), Error> {
    for Mount { source, target } in mounts {
        for file in ["cert9.db", "key4.db", "pkcs11.txt"] {
            let original = target.join(file);
            if original.exists() {
                run(as_user("cp", user).arg("--").arg(original).arg(source))?;
            }
        }
        if !source.join("cert9.db").exists() {
            run(as_user("certutil", user).args(["-N", "--empty-password", "-d"]).arg(database(source)))?;
        }
        add(source, ca, user)?;
    }
    Ok(())
}

fn database(directory: &Path) -> String {
    format!("sql:{}", directory.display())
}

/// `-t C,,`: trusted to issue server certificates, nothing else.
fn add(database: &Path, ca: &Path, user: &User) -> Result<(), Error> {
    let mut certutil = as_user("certutil", user);
    certutil.args(["-A", "-d"]).arg(self::database(database));
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
