//! Becoming a command of a running session: for `agent exec`, and for the process that the supervisor starts.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use nix::sys::signal::{SigSet, Signal};

use crate::config::{self, invoker};
use crate::sandbox::launch::{Failure, Launch, launch};
use crate::sandbox::name::Name;
use crate::sandbox::session::{self, Facts};
use crate::sandbox::trust::JOINED;

/// Replaces this process with a command in a session, as whoever asked for it. Returns only if that failed.
///
/// # Errors
/// If there is no such session or no such user.
pub fn exec(name: &str, user: Option<&str>, argv: Vec<OsString>) -> anyhow::Result<Failure> {
    config::require_root("exec")?;
    let name: Name = name.parse().map_err(config::Error::Name)?;
    let facts = running(&name)?;
    let (invoker, environment) = invoker::invoker(user)?;
    // Root itself asks on behalf of the session's user.
    let user = if user.is_none() && invoker.uid == 0 { facts.user.clone() } else { invoker };
    let environment = self::environment(&environment, &facts.variables);
    Ok(launch(&facts, &Launch { argv, environment, user, parent_death: None }))
}

/// The part of the supervisor's child: `argv` is the session's name and the command. The environment is the command's
/// already.
///
/// # Errors
/// If there is no such session.
pub fn launch_child(mut argv: impl Iterator<Item = OsString>) -> anyhow::Result<Failure> {
    SigSet::empty().thread_set_mask()?;
    let name = argv.next().unwrap_or_default();
    let facts = session::facts(&name.to_string_lossy().parse().map_err(config::Error::Name)?)?;
    let user = facts.user.clone();
    // Not SIGKILL: a program may want to save its work. Without the session it has no network anyway.
    let parent_death = Some(Signal::SIGTERM);
    let environment = invoker::own();
    Ok(launch(&facts, &Launch { argv: argv.collect(), environment, user, parent_death }))
}

/// The facts of a session that somebody holds.
///
/// # Errors
/// [`crate::sandbox::Error::NoSession`] if nobody does.
pub fn running(name: &Name) -> Result<Facts, crate::sandbox::Error> {
    let dead = || crate::sandbox::Error::NoSession { name: name.to_string() };
    session::holder(name).ok_or_else(dead)?;
    session::facts(name)
}

/// A user's environment with the session's variables in it. Where the user has set a list of options, ours are added.
#[must_use]
pub fn environment(base: &[(OsString, OsString)], variables: &BTreeMap<String, String>) -> Vec<(OsString, OsString)> {
    let mut environment: Vec<_> = base
        .iter()
        .filter(|(name, _)| name.to_str().is_none_or(|name| !variables.contains_key(name)))
        .cloned()
        .collect();
    for (name, value) in variables {
        let theirs = base.iter().find(|(their, _)| their == OsStr::new(name)).map(|(_, value)| value);
        let value = match theirs {
            Some(theirs) if JOINED.contains(&name.as_str()) => join(name, theirs, value),
            _ => OsString::from(value),
        };
        environment.push((OsString::from(name), value));
    }
    environment
}

/// `PHP_INI_SCAN_DIR` is a list of directories, and ours begins with its separator; the others are lists of words.
fn join(name: &str, theirs: &OsStr, ours: &str) -> OsString {
    let mut joined = theirs.to_os_string();
    if name != "PHP_INI_SCAN_DIR" {
        joined.push(" ");
    }
    joined.push(ours);
    joined
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::environment;

    #[test]
    fn the_sessions_variables_replace_or_join_the_users() {
        let pair = |(name, value): (&str, &str)| (OsString::from(name), OsString::from(value));
        let base =
            [("A", "1"), ("SSL_CERT_FILE", "/theirs"), ("JAVA_TOOL_OPTIONS", "-Xmx1g"), ("PHP_INI_SCAN_DIR", "/x")];
        let ours = [("SSL_CERT_FILE", "/ours"), ("JAVA_TOOL_OPTIONS", "-Dt=1"), ("PHP_INI_SCAN_DIR", ":/ours")];
        let variables = ours.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut expect = [
            ("A", "1"),
            ("SSL_CERT_FILE", "/ours"),
            ("JAVA_TOOL_OPTIONS", "-Xmx1g -Dt=1"),
            ("PHP_INI_SCAN_DIR", "/x:/ours"),
        ]
        .map(pair);
        let mut result = environment(&base.map(pair), &variables);
        result.sort();
        expect.sort();
        assert_eq!(result, expect);
    }
}
