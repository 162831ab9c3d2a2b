//! The directory of a session: made as the invoking user, for the worker to write and that user to read.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::libc::{O_DIRECTORY, O_NOFOLLOW};

use super::guise;
use super::session::User;

/// Where a session's directory is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A new one in this folder, which is made as well and which nobody but the user may enter.
    Among(PathBuf),
    /// The same for a user without a home; the folder is made by root.
    System(PathBuf),
    /// This one, which does not exist or is empty.
    Given(PathBuf),
}

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user who may read it.
    pub user: User,
    /// Nobody else is in that user's primary group.
    pub is_alone: bool,
}

/// A session's directory.
#[derive(Clone)]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
    /// What the session's commands must not see, since they may run as the same user: this directory and, if it is one
    /// among others, those as well.
    pub hidden: PathBuf,
    /// It, open.
    pub handle: Arc<File>,
    user: User,
}

/// Why there is no directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something cannot be done.
    #[error("cannot {what} `{}`; name another directory with `--capture DIR`, or record nothing: `--no-capture`", path.display())]
    File {
        /// What.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It has something in it.
    #[error("`--capture {}`: the directory is not empty; name a new one", .0.display())]
    NotEmpty(PathBuf),
    /// Others could read it.
    #[error("`--capture {}`: others in your group could read it; name one below a directory that only you may enter", .0.display())]
    Shared(PathBuf),
    /// The user's place cannot be taken.
    #[error(transparent)]
    Guise(#[from] super::Error),
}

/// Makes the directory of session `name`, which begins at `stamp`, for the user `writer` to write.
///
/// # Errors
/// What cannot be done, or why it must not be.
pub fn make(place: &Place, name: &str, stamp: &str, owner: &Owner, writer: u32) -> Result<Directory, Error> {
    if let Place::System(folder) = place {
        make_folder(folder, owner)?;
    }
    let create = || match place {
        Place::Among(folder) | Place::System(folder) => among(folder, &format!("{name}-{stamp}")),
        Place::Given(path) => given(path, owner),
    };
    let (path, handle) = guise::as_user(&owner.user, create)??;
    fchown(&handle, Some(writer), Some(owner.user.gid)).map_err(failed("give away", &path))?;
    // Files in it get its group, whoever makes them.
    handle.set_permissions(Permissions::from_mode(0o2770)).map_err(failed("protect", &path))?;
    let hidden = match place {
        Place::Among(folder) | Place::System(folder) => folder.clone(),
        Place::Given(_) => path.clone(),
    };
    Ok(Directory { path, hidden, handle: Arc::new(handle), user: owner.user.clone() })
}

impl Directory {
    /// Removes it again if nothing is in it.
    pub fn abandon(self) {
        let removed = guise::as_user(&self.user, || fs::remove_dir(&self.path).map_err(failed("remove", &self.path)));
        if let Err(error) = removed.map_err(Error::from).flatten() {
            tracing::debug!(%error, "the capture stays");
        }
    }
}

/// The folder of a user who has no home to have it in.
fn make_folder(folder: &Path, owner: &Owner) -> Result<(), Error> {
    let parent = folder.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(failed("create", parent))?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made
            .and_then(|()| std::os::unix::fs::chown(folder, Some(owner.user.uid), Some(owner.user.gid)))
            .map_err(failed("create", folder)),
    }
}

fn among(folder: &Path, name: &str) -> Result<(PathBuf, File), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("create", folder))?;
    let mut number = 1;
    loop {
        let path = folder.join(if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => {
                made.map_err(failed("create", &path))?;
                return open(path);
            }
        }
    }
}

fn given(path: &Path, owner: &Owner) -> Result<(PathBuf, File), Error> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(failed("create", parent))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.map_err(failed("create", path))?,
    }
    let path = path.canonicalize().map_err(failed("find", path))?;
    let mut entries = fs::read_dir(&path).map_err(failed("read", &path))?;
    if entries.next().is_some() {
        return Err(Error::NotEmpty(path));
    }
    if !owner.is_alone && !path.ancestors().skip(1).any(keeps_others_out) {
        return Err(Error::Shared(path));
    }
    open(path)
}

fn keeps_others_out(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|found| found.mode() & 0o011 == 0)
}

fn open(path: PathBuf) -> Result<(PathBuf, File), Error> {
    let opened = File::options().read(true).custom_flags(O_DIRECTORY | O_NOFOLLOW).open(&path);
    opened.map_err(failed("open", &path)).map(|handle| (path, handle))
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_given_is_new_or_empty_and_no_groups() {
        let owner = |is_alone| Owner {
            user: User {
                name: "ada".into(),
                uid: 0,
                gid: 0,
                groups: Vec::new(),
                home: "/".into(),
                shell: "/bin/sh".into(),
            },
            is_alone,
        };
        let folder = std::env::temp_dir().join(format!("agent-given-{}", std::process::id()));
        let (open, shut) = (folder.join("open/to/all"), folder.join("shut/to/others"));
        fs::create_dir_all(folder.join("shut")).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(folder.join("shut"), Permissions::from_mode(0o700)).unwrap();
        for (path, is_alone, expect) in [(&open, true, true), (&open, false, false), (&shut, false, true)] {
            let given = given(path, &owner(is_alone));
            assert_eq!(given.is_ok(), expect, "{} {is_alone}", path.display());
            assert!(given.is_ok() || matches!(given, Err(Error::Shared(_))));
        }
        fs::write(open.join("file"), "").unwrap();
        assert!(matches!(given(&open, &owner(true)), Err(Error::NotEmpty(_))));
        fs::remove_dir_all(folder).unwrap();
    }
}
