//! Landlock domains (Linux 5.13): what a process keeps from reaching although its user may.

use std::fs::File;
use std::io;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, Scope,
};

use nix::unistd::{chdir, chroot};

use super::Error;

/// What asks the kernel for the most that is known here; it gives what it has.
const NEWEST: ABI = ABI::V6;

/// Keeps the calling thread and its descendants from tracing, reading, changing or, from Linux 6.12 on, signalling
/// processes outside; among themselves nothing changes. It takes CAP_SYS_ADMIN or NO_NEW_PRIVS.
///
/// # Errors
/// [`Error::Missing`] without Landlock.
pub fn leave_processes() -> Result<(), Error> {
    // Before 6.12 a domain must be about files as well: about device nodes, which take a capability to make anyway.
    // Moving files between directories has to be allowed by name.
    let files = AccessFs::MakeBlock | AccessFs::Refer;
    let scoped = || {
        let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).scope(Scope::Signal)?;
        hard.create()?.no_new_privs(false).restrict_self()
    };
    let restricted = scoped().or_else(|_| {
        let everywhere = PathFd::new("/").ok().map(|root| PathBeneath::new(root, AccessFs::Refer));
        let created = Ruleset::default().handle_access(files)?.create()?;
        created.add_rules(everywhere.map(Ok::<_, landlock::RulesetError>))?.no_new_privs(false).restrict_self()
    });
    enforced(restricted.map(|status| status.ruleset))
}

/// Keeps the calling thread and its descendants from every file that is not open yet, and from everything that
/// [`leave_processes`] names.
///
/// # Errors
/// [`Error::Missing`] without Landlock.
pub fn leave_files() -> Result<(), Error> {
    restrict_files(None)
}

/// The same for every file that is not below the working directory, which becomes the root directory. It takes
/// CAP_SYS_CHROOT.
///
/// # Errors
/// [`Error::Missing`] without Landlock.
pub fn keep_to_directory() -> Result<(), Error> {
    let here = Path::new(".");
    let kept = File::open(here).map_err(Error::file("open", here))?;
    restrict_files(Some(PathBeneath::new(kept, AccessFs::from_all(NEWEST) & !AccessFs::Execute)))?;
    chroot(here).map_err(Error::errno("change the root directory"))?;
    chdir("/").map_err(Error::errno("change to the root directory"))
}

fn restrict_files(kept: Option<PathBeneath<File>>) -> Result<(), Error> {
    let scopes = Scope::Signal | Scope::AbstractUnixSocket;
    let restrict = || {
        let created = Ruleset::default().handle_access(AccessFs::from_all(NEWEST))?.scope(scopes)?.create()?;
        let created = created.add_rules(kept.map(Ok::<_, landlock::RulesetError>))?;
        created.no_new_privs(false).restrict_self()
    };
    enforced(restrict().map(|status| status.ruleset))?;
    refuses_files()
}

fn enforced(status: Result<RulesetStatus, landlock::RulesetError>) -> Result<(), Error> {
    match status.map_err(io::Error::other).map_err(Error::system("enter a Landlock domain"))? {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(Error::Missing {
            what: "this kernel has no Landlock".into(),
            remedy: "boot with `lsm=landlock,…`, on a kernel with CONFIG_SECURITY_LANDLOCK",
        }),
    }
}

/// No file of `/proc` tells of a domain: so it is tried.
fn refuses_files() -> Result<(), Error> {
    let path = Path::new("/etc/passwd");
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        opened => Err(Error::System {
            op: "keep from files",
            source: io::Error::other(format!("`{}` can be opened: {opened:?}", path.display())),
        }),
    }
}

/// Whether the running kernel offers Landlock.
#[must_use]
pub fn is_offered() -> bool {
    let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    hard.handle_access(AccessFs::MakeBlock).and_then(Ruleset::create).is_ok()
}
