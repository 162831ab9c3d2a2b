//! Whether the programs of a user could put something else where a path leads.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows (path_resolution(7)).
const LINKS: usize = 40;
/// Whoever can write in such a directory can remove there only what is theirs.
const STICKY: u32 = 0o1000;
/// Others than the owner may write. Which groups a program has is not asked, nor what a list of access adds to them.
const WRITABLE: u32 = 0o022;

/// The first part of the way to `path` that `user`, who is not the owner of the rest, could change: a directory, a link,
/// or the file.
///
/// # Errors
/// If the way cannot be followed to its end.
pub fn changeable(path: &Path, user: u32) -> io::Result<Option<PathBuf>> {
    let mut ahead = parts(&std::path::absolute(path)?);
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    if is_changeable(&fs::symlink_metadata(&at)?, user) {
        return Ok(Some(at));
    }
    while let Some(part) = ahead.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(part);
        let metadata = fs::symlink_metadata(&next)?;
        if is_changeable(&metadata, user) {
            return Ok(Some(next));
        }
        if !metadata.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let target = fs::read_link(&next)?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        ahead.extend(parts(&target));
    }
    Ok(None)
}

/// The parts of a path, the first of them last.
fn parts(path: &Path) -> Vec<OsString> {
    let part = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(part).collect()
}

fn is_changeable(metadata: &Metadata, user: u32) -> bool {
    let mode = metadata.permissions().mode();
    let is_guarded = metadata.is_symlink() || metadata.is_dir() && mode & STICKY != 0;
    metadata.uid() == user || mode & WRITABLE != 0 && !is_guarded
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Nobody's number.
    const OTHER: u32 = 4_123_456;

    #[test]
    fn what_is_on_the_way_to_a_file_counts_as_the_file_does() {
        let top = std::env::temp_dir().join(format!("agent-changeable-{}", std::process::id()));
        fs::create_dir_all(top.join("open/inner")).unwrap();
        fs::create_dir(top.join("shut")).unwrap();
        let files = ["open/inner/file", "shut/file", "shut/loose"].map(|name| top.join(name));
        files.iter().for_each(|file| fs::write(file, "").unwrap());
        for (name, mode) in [("", 0o755), ("open", 0o777), ("shut", 0o755), ("shut/file", 0o644), ("shut/loose", 0o664)]
        {
            fs::set_permissions(top.join(name), Permissions::from_mode(mode)).unwrap();
        }
        symlink("../open/inner/file", top.join("shut/out")).unwrap();
        symlink(top.join("shut/file"), top.join("shut/stays")).unwrap();
        symlink("round", top.join("shut/round")).unwrap();
        let owner = fs::metadata(&top).unwrap().uid();
        for (name, expect) in [
            ("shut/file", None),
            ("shut/stays", None),
            ("shut/../shut/./file", None),
            ("shut/loose", Some("shut/loose")),
            ("shut/out", Some("open")),
            ("open/inner/file", Some("open")),
        ] {
            let expect = expect.map(|part| top.join(part));
            assert_eq!(changeable(&top.join(name), OTHER).unwrap(), expect, "{name}");
            assert!(changeable(&top.join(name), owner).unwrap().is_some(), "{name}");
        }
        assert!(changeable(&top.join("shut/round"), OTHER).is_err());
        assert!(changeable(&top.join("shut/nothing"), OTHER).is_err());
        fs::remove_dir_all(top).unwrap();
    }
}
