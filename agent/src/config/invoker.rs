//! Who asked for this, and with what environment. Under sudo that is not the process's own: sudo has replaced the user
//! and stripped the environment that desktop programs need (display, session bus, agent sockets).

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, getgrouplist, getppid};

use super::Error;
use crate::sandbox::session::User;

/// How far up sudo is looked for: itself, its monitor, a shell or script between.
const MAX_ANCESTORS: usize = 8;

/// Variables and their values.
pub type Environment = Vec<(OsString, OsString)>;

/// The user a command runs as, and the environment it starts from: `requested`, or else whoever called sudo, or else
/// the user of this process.
///
/// # Errors
/// If there is no such user.
pub fn invoker(requested: Option<&str>) -> Result<(User, Environment), Error> {
    let sudo = variable("SUDO_UID").and_then(|uid| uid.parse().ok());
    match (requested, sudo) {
        (Some(name), _) => {
            let user = by_name_or_number(name)?;
            let environment = for_user(own(), &user);
            Ok((user, environment))
        }
        (None, Some(uid)) => {
            let user = by_uid(uid)?;
            let environment = sudo_environment().unwrap_or_else(|| for_user(own(), &user));
            Ok((user, environment))
        }
        (None, None) => Ok((by_uid(nix::unistd::getuid().as_raw())?, own())),
    }
}

/// The user whose files the agent writes: whoever called sudo, or else the user of this process, whoever the command
/// runs as.
///
/// # Errors
/// If users cannot be looked up.
pub fn invoking() -> Result<User, Error> {
    let sudo = variable("SUDO_UID").and_then(|uid| uid.parse().ok());
    by_uid(sudo.unwrap_or_else(|| nix::unistd::getuid().as_raw()))
}

#[expect(clippy::disallowed_methods, reason = "config is where the environment is read")]
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// The environment of this process.
#[expect(clippy::disallowed_methods, reason = "config is where the environment is read")]
#[must_use]
pub fn own() -> Environment {
    env::vars_os().collect()
}

fn by_name_or_number(name: &str) -> Result<User, Error> {
    let found = match name.parse() {
        Ok(uid) => nix::unistd::User::from_uid(Uid::from_raw(uid)),
        Err(_) => nix::unistd::User::from_name(name),
    };
    match found {
        Ok(Some(user)) => Ok(with_groups(user)),
        Ok(None) => Err(Error::NoUser(name.to_owned())),
        Err(errno) => Err(Error::UserLookup(name.to_owned(), errno)),
    }
}

/// A user without an entry, as in many containers, still has a number.
fn by_uid(uid: u32) -> Result<User, Error> {
    match nix::unistd::User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => Ok(with_groups(user)),
        Ok(None) => Ok(User {
            name: uid.to_string(),
            uid,
            gid: uid,
            groups: vec![uid],
            home: PathBuf::from("/"),
            shell: PathBuf::from("/bin/sh"),
        }),
        Err(errno) => Err(Error::UserLookup(uid.to_string(), errno)),
    }
}

/// Who the worker becomes: the system user `agent` where a package made one, else nobody; no group but its own.
///
/// # Errors
/// If there is neither.
pub fn worker() -> Result<User, Error> {
    let user = by_name_or_number("agent").or_else(|_| by_name_or_number("nobody"))?;
    if user.uid == 0 {
        return Err(Error::WorkerIsRoot(user.name));
    }
    Ok(User { groups: Vec::new(), ..user })
}

fn with_groups(user: nix::unistd::User) -> User {
    let name = CString::new(user.name.as_bytes()).unwrap_or_default();
    let groups = getgrouplist(&name, user.gid).unwrap_or_else(|_| vec![user.gid]);
    User {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        groups: groups.into_iter().map(Gid::as_raw).collect(),
        home: user.dir,
        shell: user.shell,
    }
}

/// The environment of the sudo process above us: it is the invoking user's, as it was before sudo changed it.
fn sudo_environment() -> Option<Environment> {
    let mut pid = getppid().as_raw();
    for _ in 0..MAX_ANCESTORS {
        let process = Path::new("/proc").join(pid.to_string());
        if fs::read_to_string(process.join("comm")).is_ok_and(|comm| comm.trim_end().starts_with("sudo")) {
            let environment = parse_environ(&fs::read(process.join("environ")).ok()?);
            return (!environment.is_empty()).then_some(environment);
        }
        pid = parent(&fs::read_to_string(process.join("status")).ok()?)?;
    }
    None
}

/// The parent in the text of `/proc/PID/status`.
fn parent(status: &str) -> Option<i32> {
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// The variables in the bytes of `/proc/PID/environ`.
fn parse_environ(bytes: &[u8]) -> Environment {
    let variables = bytes.split(|byte| *byte == 0).filter_map(|variable| {
        let equals = variable.iter().position(|byte| *byte == b'=')?;
        let (name, value) = variable.split_at(equals);
        Some((OsString::from_vec(name.to_vec()), OsStr::from_bytes(value.get(1..)?).to_owned()))
    });
    variables.collect()
}

/// Our own environment made another user's: who they are replaces who we are, and nothing of sudo remains.
fn for_user(environment: Environment, user: &User) -> Environment {
    let theirs = [
        ("HOME", user.home.as_os_str()),
        ("SHELL", user.shell.as_os_str()),
        ("USER", OsStr::new(&user.name)),
        ("LOGNAME", OsStr::new(&user.name)),
    ];
    let ours = |name: &OsStr| {
        let name = name.as_bytes();
        // Directories of ours, the runtime directory among them, are not theirs.
        let is_directory = name.starts_with(b"XDG_") && (name.ends_with(b"_HOME") || name == b"XDG_RUNTIME_DIR");
        name.starts_with(b"SUDO_") || name == b"MAIL" || is_directory
    };
    let mut environment: Environment = environment
        .into_iter()
        .filter(|(name, _)| !ours(name) && !theirs.iter().any(|(their, _)| their == name))
        .collect();
    environment.extend(theirs.iter().map(|(name, value)| (OsString::from(name), value.to_os_string())));
    let runtime = PathBuf::from(format!("/run/user/{}", user.uid));
    if runtime.is_dir() {
        environment.push(("XDG_RUNTIME_DIR".into(), runtime.into_os_string()));
    }
    environment
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use super::{for_user, parent, parse_environ};
    use crate::sandbox::session::User;

    #[test]
    fn an_environment_is_read_as_the_kernel_writes_it() {
        let expect = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        assert_eq!(parse_environ(b"A=1\0B=x=y\0C=\0broken\0"), [expect("A", "1"), expect("B", "x=y"), expect("C", "")]);
        assert_eq!(parse_environ(b""), []);
    }

    #[test]
    fn the_parent_is_read_from_the_status() {
        assert_eq!(parent("Name:\tsh\nPid:\t12\nPPid:\t7\n"), Some(7));
        assert_eq!(parent("Name:\tsh\n"), None);
    }

    #[test]
    fn another_users_environment_has_nothing_of_sudo_in_it() {
        let user = User {
            name: "ada".into(),
            uid: 4_000_000,
            gid: 1,
            groups: vec![],
            home: PathBuf::from("/home/ada"),
            shell: PathBuf::from("/bin/zsh"),
        };
        let ours = [("HOME", "/root"), ("SUDO_UID", "1"), ("TERM", "xterm"), ("USER", "root")];
        let ours = ours.map(|(name, value)| (OsString::from(name), OsString::from(value))).to_vec();
        let names: Vec<_> =
            for_user(ours, &user).into_iter().map(|(name, value)| format!("{name:?}={value:?}")).collect();
        assert_eq!(names.join(" ").replace('"', ""), "TERM=xterm HOME=/home/ada SHELL=/bin/zsh USER=ada LOGNAME=ada");
    }
}
