//! Which capture is meant: that of a running session, of the latest one of a name, of the latest of all, or the one in a
//! directory.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::capture::read::Capture;
use crate::capture::read::find::captures;
use crate::config::{self, invoker};
use crate::sandbox::capture_directory::Place;
use crate::sandbox::session;

/// What was typed to name a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// `--netns`.
    pub netns: Option<String>,
    /// `--session`.
    pub directory: Option<PathBuf>,
}

/// Opens the capture that is meant.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn open(choice: &Choice) -> anyhow::Result<Capture> {
    Ok(Capture::open(&locate(choice)?)?)
}

/// Where the capture that is meant is.
///
/// # Errors
/// If there is none.
pub fn locate(choice: &Choice) -> anyhow::Result<PathBuf> {
    if let Some(directory) = &choice.directory {
        return Ok(directory.clone());
    }
    if let Some(name) = &choice.netns
        && let Ok(facts) = super::exec::running(&super::sessions::parse(name)?)
    {
        return match facts.capture {
            Some(directory) => Ok(directory),
            None => bail!("session `{name}` is not recorded: it was started with `--no-capture`"),
        };
    }
    let folder = folder()?;
    let found = captures(&folder)?;
    let mut latest = found.iter().rev();
    let latest = latest.find(|found| choice.netns.as_ref().is_none_or(|name| *name == found.session));
    let Some(latest) = latest else {
        let of = choice.netns.as_ref().map(|name| format!(" of a session `{name}`")).unwrap_or_default();
        bail!("no capture{of} in `{}`; `--session DIR` names another directory", folder.display());
    };
    Ok(latest.directory.clone())
}

/// Where the captures of the invoking user are.
///
/// # Errors
/// If there is no such user.
pub fn folder() -> anyhow::Result<PathBuf> {
    let (user, environment) = invoker::invoker(None)?;
    Ok(match config::capture::usual(&user, &environment) {
        Place::Among(folder) | Place::System(folder) | Place::Given(folder) => folder,
    })
}

/// Whether a running session is being recorded in `directory`.
#[must_use]
pub fn is_recording(directory: &Path) -> bool {
    let place = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = place(directory);
    let names = session::list().unwrap_or_default();
    let running = names.iter().filter_map(|name| super::exec::running(name).ok());
    running.filter_map(|facts| facts.capture).any(|capture| place(&capture) == directory)
}
