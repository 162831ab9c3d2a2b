//! Captures in the folder that they are kept in: one directory for each session, called by its name and when it began.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Error;
use crate::capture::store::DATABASE;

/// A capture that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub directory: PathBuf,
    /// The session's name.
    pub session: String,
    /// When it began, as in `20260102T030405Z`.
    pub stamp: String,
    /// Which one of those with the same name and time it is.
    pub number: u32,
}

impl Found {
    /// By the name of a directory, `NAME-YYYYMMDDTHHMMSSZ`, with another number behind it if that name was taken.
    fn parse(directory: &Path) -> Option<Self> {
        let name = directory.file_name()?.to_str()?;
        let (head, number) = match name.rsplit_once('-') {
            Some((head, number)) if number.parse::<u32>().is_ok() => (head, number.parse().ok()?),
            _ => (name, 1),
        };
        let (session, stamp) = head.rsplit_once('-').filter(|(_, stamp)| is_stamp(stamp))?;
        Some(Self { directory: directory.to_owned(), session: session.to_owned(), stamp: stamp.to_owned(), number })
    }

    /// When it began, in microseconds since 1970.
    #[must_use]
    pub fn began(&self) -> Option<i64> {
        let part = |from: usize, to: usize| self.stamp.get(from..to);
        let (date, clock) = (part(0, 8)?, part(9, 15)?);
        let text =
            format!("{}-{}-{}T{}:{}:{}Z", &date[..4], &date[4..6], &date[6..], &clock[..2], &clock[2..4], &clock[4..]);
        crate::engine::record::time::parse(&text)
    }
}

/// The captures in `folder`, the oldest first; none if there is no such folder.
///
/// # Errors
/// If it cannot be read.
pub fn captures(folder: &Path) -> Result<Vec<Found>, Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::PermissionDenied => Error::Denied(folder.to_owned()),
        _ => Error::Directory { path: folder.to_owned(), source },
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut found: Vec<Found> = paths.iter().filter_map(|path| Found::parse(path)).collect();
    found.retain(|found| found.directory.join(DATABASE).exists());
    found.sort_by(|a, b| (&a.stamp, a.number, &a.session).cmp(&(&b.stamp, b.number, &b.session)));
    Ok(found)
}

/// `YYYYMMDDTHHMMSSZ`.
fn is_stamp(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 16 && text.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_directory_says_which_session_it_is_of() {
        for (name, expect) in [
            ("work-20260102T030405Z", Some(("work", 1))),
            ("a-b-20260102T030405Z-2", Some(("a-b", 2))),
            ("7-20260102T030405Z", Some(("7", 1))),
            ("20260102T030405Z", None),
            ("work-20260102", None),
            ("work", None),
        ] {
            let found = Found::parse(&Path::new("/x").join(name));
            assert_eq!(found.as_ref().map(|found| (found.session.as_str(), found.number)), expect, "{name}");
        }
        let found = Found::parse(Path::new("work-19700102T000001Z")).unwrap();
        assert_eq!(found.began(), Some(86_401_000_000));
    }
}
