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
const DATABASES: &[&str] = &[".local/share/pki/nssdb", ".pki/nssdb"];

/// The user's databases; where there is none, the place where one would be looked for.
#[must_use]
pub fn databases(user: &User) -> Vec<PathBuf> {
    DATABASES.iter().map(|database| user.home.join(database)).filter(|database| database.is_dir()).collect()
}

/// Copies each database below `directory` and adds the authority. All of it happens as the user, who may have put
/// anything in the place of a file.
///
/// # Errors
/// [`Error::Missing`] if there is no `certutil`, or what failed.
pub fn prepare(directory: &Path, databases: &[PathBuf], ca: &Path, user: &User) -> Result<Vec<Mount>, Error> {
    let mut mounts = Vec::new();
    for (index, database) in databases.iter().enumerate() {
        let copy = directory.join(format!("nss-{index}"));
        std::fs::create_dir(&copy).map_err(Error::file("create", &copy))?;
        std::os::unix::fs::chown(&copy, Some(user.uid), Some(user.gid)).map_err(Error::file("give away", &copy))?;
        for file in ["cert9.db", "key4.db", "pkcs11.txt"] {
            let original = database.join(file);
            if original.exists() {
                run(as_user("cp", user).arg("--").arg(original).arg(&copy))?;
            }
        }
        add(&copy, ca, user)?;
        mounts.push(Mount { source: copy, target: database.clone() });
    }
    Ok(mounts)
}

/// `-t C,,`: trusted to issue server certificates, nothing else.
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
        _ => Error::system("run certutil")(error),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::system("add the authority to an NSS database")(io::Error::other(said)))
}
