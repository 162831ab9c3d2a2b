//! Captures that are no longer wanted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::app::captures::{folder, is_recording};
use crate::capture::prune::{delete, size};
use crate::capture::read::find::{Found, captures};
use crate::capture::store::DATABASE;
use crate::ui::{self, table};

/// Which captures are to be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// Those of sessions with this name alone.
    pub netns: Option<String>,
    /// The one in this directory, and no other.
    pub session: Option<PathBuf>,
    /// Those that began before this time, in microseconds since 1970.
    pub before: Option<i64>,
    /// All but so many, the latest.
    pub keep: Option<usize>,
    /// Nothing is deleted, only told of.
    pub dry_run: bool,
}

/// Deletes captures and says which.
///
/// # Errors
/// If none are named, or one cannot be deleted.
pub fn prune(prune: &Prune) -> anyhow::Result<()> {
    let chosen = match &prune.session {
        Some(directory) => {
            ensure!(directory.join(DATABASE).exists(), "no capture in `{}`", directory.display());
            ensure!(!is_recording(directory), "`{}` is being recorded; end its session first", directory.display());
            vec![directory.clone()]
        }
        None => chosen(prune)?,
    };
    for directory in &chosen {
        let size = table::bytes(size(directory));
        let path = directory.display();
        if prune.dry_run {
            ui::line(&format!("would delete {path}, {size}"));
            continue;
        }
        let is_gone = delete(directory).with_context(|| format!("cannot delete `{path}`"))?;
        let rest = if is_gone { "" } else { "; the directory has other files and stays" };
        ui::line(&format!("deleted {path}, {size}{rest}"));
    }
    Ok(())
}

/// Deletes those in `folder` that are not among the latest `keep`, or began before a time (microseconds since 1970), and
/// that no session is being recorded in.
///
/// # Errors
/// If the folder cannot be read, or one cannot be deleted.
pub(in crate::app) fn rotate(folder: &Path, keep: usize, before: i64) -> anyhow::Result<()> {
    let found = captures(folder)?;
    let many = select(&found, &Prune { keep: Some(keep), ..Prune::default() });
    let old = select(&found, &Prune { before: Some(before), ..Prune::default() });
    let chosen: BTreeSet<PathBuf> = many.into_iter().chain(old).collect();
    for directory in chosen.iter().filter(|directory| !is_recording(directory)) {
        delete(directory).with_context(|| format!("cannot delete `{}`", directory.display()))?;
    }
    Ok(())
}

/// Those in the user's folder that are meant and not being recorded.
fn chosen(prune: &Prune) -> anyhow::Result<Vec<PathBuf>> {
    if prune.before.is_none() && prune.keep.is_none() {
        bail!("say which captures to delete: `--older-than 7d`, `--keep N` or `--session DIR`");
    }
    let found = captures(&folder()?)?;
    let mut chosen = select(&found, prune);
    chosen.retain(|directory| !is_recording(directory));
    Ok(chosen)
}

/// Those of `found`, the oldest first, that are meant. With both limits, what is beyond both.
fn select(found: &[Found], prune: &Prune) -> Vec<PathBuf> {
    let is_named = |found: &&Found| prune.netns.as_ref().is_none_or(|name| *name == found.session);
    let named: Vec<&Found> = found.iter().filter(is_named).collect();
    let kept = named.len().saturating_sub(prune.keep.unwrap_or(0));
    let is_old = |found: &&&Found| prune.before.is_none_or(|before| found.began().is_some_and(|began| began < before));
    named[..kept].iter().filter(is_old).map(|found| found.directory.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_chosen_by_age_number_and_name() {
        let found = |session: &str, day: u32| Found {
            directory: format!("{session}{day}").into(),
            session: session.into(),
            stamp: format!("197001{day:02}T000000Z"),
            number: 1,
        };
        let all = [found("a", 1), found("b", 2), found("a", 3)];
        let day = |day: i64| Some((day - 1) * 86_400_000_000);
        let none = Prune::default;
        for (prune, expect) in [
            (Prune { before: day(3), ..none() }, vec!["a1", "b2"]),
            (Prune { keep: Some(1), ..none() }, vec!["a1", "b2"]),
            (Prune { keep: Some(2), before: day(9), ..none() }, vec!["a1"]),
            (Prune { keep: Some(0), before: day(2), ..none() }, vec!["a1"]),
            (Prune { keep: Some(1), netns: Some("a".into()), ..none() }, vec!["a1"]),
            (Prune { keep: Some(9), ..none() }, vec![]),
        ] {
            let expect: Vec<PathBuf> = expect.into_iter().map(PathBuf::from).collect();
            assert_eq!(select(&all, &prune), expect, "{prune:?}");
        }
    }
}
