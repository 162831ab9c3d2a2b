//! Landlock domains (Linux 5.13): what a process keeps from reaching although its user may.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, Scope,
};

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
    let scopes = Scope::Signal | Scope::AbstractUnixSocket;
    let restrict = || {
        let created = Ruleset::default().handle_access(AccessFs::from_all(NEWEST))?.scope(scopes)?.create()?;
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
    match std::fs::File::open(path) {
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
