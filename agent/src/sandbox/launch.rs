//! Turns the calling process into a command of a session: same process, same terminal, another world.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use super::allowances::Allowance;
use super::session::{Facts, Mount, User};
use super::{Error, cgroup, fds, kernel_files, netns, privileges};

/// A command and who it runs as.
pub struct Launch {
    /// Program and arguments; not empty.
    pub argv: Vec<OsString>,
    /// The whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Who it runs as.
    pub user: User,
    /// The signal it gets when its parent dies, if any.
    pub parent_death: Option<Signal>,
}

/// Enters the session's control group, network namespace and a mount namespace of its own, gives up every privilege,
/// and executes the command. Returns only if that failed.
#[must_use]
pub fn launch(session: &Facts, launch: &Launch) -> Failure {
    if let Err(error) = enter(session, launch) {
        return Failure::Sandbox(error);
    }
    let [program, arguments @ ..] = launch.argv.as_slice() else {
        return Failure::Command(String::new(), io::ErrorKind::NotFound.into());
    };
    #[expect(clippy::disallowed_methods, reason = "the one place where a user's command is executed")]
    let error = Command::new(program).args(arguments).env_clear().envs(launch.environment.iter().cloned()).exec();
    Failure::Command(program.to_string_lossy().into_owned(), error)
}

/// Why a command did not start.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The session could not be entered.
    #[error("cannot enter the session")]
    Sandbox(#[source] Error),
    /// The program could not be executed.
    #[error("cannot run `{0}`")]
    Command(String, #[source] io::Error),
}

impl Failure {
    /// The exit status that a shell gives: 127 if the program is not there, 126 if it cannot be executed; 125 if it
    /// was the agent that failed.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Sandbox(_) => 125,
            Self::Command(_, error) if error.kind() == io::ErrorKind::NotFound => 127,
            Self::Command(..) => 126,
        }
    }
}

fn enter(session: &Facts, launch: &Launch) -> Result<(), Error> {
    cgroup::join(&session.cgroup)?;
    let netns = netns::open(&session.netns)?;
    netns::enter(&netns)?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(Error::errno("create a mount namespace"))?;
    // Mounts of the host still appear (a stick that is plugged in), ours never leave.
    let nowhere = None::<&Path>;
    mount(nowhere, Path::new("/"), nowhere, MsFlags::MS_SLAVE | MsFlags::MS_REC, nowhere)
        .map_err(Error::errno("detach the mount namespace"))?;
    let admin = session.allowances.has(Allowance::NetAdmin).then(|| fds::owner(&netns)).transpose();
    let admin = admin.map_err(Error::system("find the owner of the network namespace"))?;
    session.mounts.iter().try_for_each(bind)?;
    if !session.allowances.has(Allowance::Host) {
        kernel_files::make_read_only()?;
    }
    fds::close_on_exec_from(3).map_err(Error::system("mark descriptors to be closed"))?;
    if let Some(owner) = admin {
        // Capabilities count in the user namespace that a process is in: from here on only over the session's network.
        setns(owner, CloneFlags::CLONE_NEWUSER).map_err(Error::errno("enter the user namespace"))?;
    }
    privileges::become_command(&launch.user, &session.allowances, launch.parent_death)?;
    // One that had died before the tie was made leaves no signal.
    if launch.parent_death.is_some() && getppid().as_raw() != session.pid {
        return Err(Error::NoSession { name: session.name.clone() });
    }
    Ok(())
}

fn bind(bind: &Mount) -> Result<(), Error> {
    let nothing = None::<&Path>;
    // With what is mounted below.
    mount(Some(&bind.source), &bind.target, nothing, MsFlags::MS_BIND | MsFlags::MS_REC, nothing)
        .map_err(Error::file_errno("mount over", &bind.target))
}
