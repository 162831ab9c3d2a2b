//! What of a session is recorded, and where.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::Gid;

use crate::capture::OnFull;
use crate::sandbox::capture_directory::{Owner, Place};
use crate::sandbox::session::User;

/// Bytes of one body that are kept, unless the file of settings says otherwise.
pub const MAX_BODY: u64 = 64 << 20;
/// Bytes of one session's directory.
pub const MAX_SESSION: u64 = 4 << 30;
/// Captures that are kept in a user's folder.
pub const KEEP_SESSIONS: u32 = 100;
/// Days for which they are.
pub const KEEP_DAYS: u32 = 30;
/// Where captures of users without a home are.
const SYSTEM: &str = "/var/lib/agent/captures";
/// The folder of captures below a user's state directory.
const FOLDER: &str = "agent/captures";

/// `[capture]` in the file of settings.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Mebibytes of one body that are kept.
    pub max_body_mib: Option<u32>,
    /// Mebibytes of one session's directory.
    pub max_session_mib: Option<u32>,
    /// Captures that are kept, this one included.
    pub keep_sessions: Option<u32>,
    /// Days for which one is kept.
    pub keep_days: Option<u32>,
    /// What happens when no more can be written.
    #[serde(default)]
    pub on_full: OnFull,
    /// Whether credentials are masked.
    #[serde(default)]
    pub redact: bool,
    /// Fields of JSON and forms that are masked as well.
    #[serde(default)]
    pub redact_fields: Vec<String>,
}

/// What was typed.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// `--capture`.
    pub directory: Option<PathBuf>,
    /// `--no-capture`.
    pub is_off: bool,
    /// `--redact`.
    pub redact: bool,
}

/// What of a session is recorded.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Where.
    pub place: Place,
    /// Whose it is.
    pub owner: Owner,
    /// Bytes of one body that are kept.
    pub max_body: u64,
    /// Bytes of the session's directory.
    pub max_session: u64,
    /// Captures that are kept where they are together, the latest.
    pub keep: usize,
    /// For how long they are.
    pub age: Duration,
    /// What happens when no more can be written.
    pub on_full: OnFull,
    /// Whether credentials are masked.
    pub redact: bool,
    /// Fields of JSON and forms that are masked as well.
    pub redact_fields: Vec<String>,
}

/// What is meant by `input` and `settings` for `user`, whose commands have this environment; none if nothing is to be
/// recorded. Who names fields to be masked wants credentials masked.
#[must_use]
pub fn capture(input: Input, settings: Settings, user: &User, environment: &[(OsString, OsString)]) -> Option<Capture> {
    if input.is_off {
        return None;
    }
    let place = input.directory.map_or_else(|| usual(user, environment), Place::Given);
    let bytes = |mebibytes: Option<u32>, usual| mebibytes.map_or(usual, |mebibytes| u64::from(mebibytes) << 20);
    Some(Capture {
        place,
        owner: Owner { user: user.clone(), is_alone: is_alone(user) },
        max_body: bytes(settings.max_body_mib, MAX_BODY),
        max_session: bytes(settings.max_session_mib, MAX_SESSION),
        keep: settings.keep_sessions.unwrap_or(KEEP_SESSIONS).max(1) as usize,
        age: Duration::from_secs(u64::from(settings.keep_days.unwrap_or(KEEP_DAYS)) * 86_400),
        on_full: settings.on_full,
        redact: input.redact || settings.redact || !settings.redact_fields.is_empty(),
        redact_fields: settings.redact_fields,
    })
}

/// Where the captures of `user` are, who has this environment (XDG Base Directory Specification 0.8).
#[must_use]
pub fn usual(user: &User, environment: &[(OsString, OsString)]) -> Place {
    let named = environment.iter().find(|(name, _)| name == "XDG_STATE_HOME").map(|(_, value)| PathBuf::from(value));
    match named.filter(|path| path.is_absolute()) {
        Some(state) => Place::Among(state.join(FOLDER)),
        None if is_own(user) => Place::Among(user.home.join(".local/state").join(FOLDER)),
        None => Place::System(PathBuf::from(format!("{SYSTEM}/{}", user.uid))),
    }
}

/// Whether the user's home directory is the user's: those of many services are root's, or are none.
fn is_own(user: &User) -> bool {
    std::fs::metadata(&user.home).is_ok_and(|home| home.is_dir() && home.uid() == user.uid)
}

/// Whether nobody else is in the user's primary group. Root may read everything anyway.
fn is_alone(user: &User) -> bool {
    match nix::unistd::Group::from_gid(Gid::from_raw(user.gid)) {
        Ok(Some(group)) if user.uid != 0 => {
            group.name == user.name && group.mem.iter().all(|member| *member == user.name)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(home: &str, uid: u32) -> User {
        User { name: "ada".into(), uid, gid: 4_000_000, groups: Vec::new(), home: home.into(), shell: "/bin/sh".into() }
    }

    #[test]
    fn captures_are_in_the_state_directory_or_the_systems() {
        let system = || Place::System("/var/lib/agent/captures/4000000".into());
        for (home, uid, state, expect) in [
            ("/", 0, None, Place::Among("/.local/state/agent/captures".into())),
            ("/nonexistent", 4_000_000, Some("/s"), Place::Among("/s/agent/captures".into())),
            ("/", 0, Some("relative"), Place::Among("/.local/state/agent/captures".into())),
            ("/", 4_000_000, None, system()),
            ("/nonexistent", 4_000_000, None, system()),
        ] {
            let environment: Vec<_> =
                state.map(|state| ("XDG_STATE_HOME".into(), OsString::from(state))).into_iter().collect();
            assert_eq!(usual(&user(home, uid), &environment), expect, "{home} {state:?}");
        }
    }

    #[test]
    fn what_is_typed_goes_before_what_is_set() {
        let meant = |input, settings| capture(input, settings, &user("/", 0), &[]);
        assert!(meant(Input { is_off: true, ..Input::default() }, Settings::default()).is_none());
        let given = Input { directory: Some("/c".into()), redact: true, is_off: false };
        let capture = meant(given, Settings { max_body_mib: Some(1), ..Settings::default() }).unwrap();
        assert_eq!((capture.place, capture.max_body, capture.redact), (Place::Given("/c".into()), 1 << 20, true));
        let fields = Settings { redact_fields: vec!["pin".into()], ..Settings::default() };
        assert!(meant(Input::default(), fields).unwrap().redact);
        assert!(!meant(Input::default(), Settings::default()).unwrap().redact);
    }
}
