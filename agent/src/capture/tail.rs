//! The end of a file that grows by whole pieces. Whoever dies in the middle of one leaves it to the next to cut it off.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;

/// A file, written from its position on. The position moves when a piece is whole; it belongs to the open file, hence
/// to all processes that share it.
pub(super) struct Tail {
    file: File,
    /// The position; none in a pipe, where a piece goes as it goes.
    end: Option<u64>,
}

impl Tail {
    /// Goes on where the last whole piece ended.
    ///
    /// # Errors
    /// If what follows it cannot be cut off.
    pub(super) fn new(mut file: File) -> io::Result<Self> {
        let end = match file.stream_position() {
            Ok(end) => Some(end),
            Err(error) if error.kind() == io::ErrorKind::NotSeekable => None,
            Err(error) => return Err(error),
        };
        let tail = Self { file, end };
        tail.cut()?;
        Ok(tail)
    }

    /// Appends a piece.
    ///
    /// # Errors
    /// If there is no room, or nobody reads. Of the piece nothing is in the file then.
    pub(super) fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        let Some(end) = self.end else { return self.file.write_all(piece) };
        if let Err(error) = self.file.write_all_at(piece, end) {
            self.cut()?;
            return Err(error);
        }
        self.end = Some(self.file.seek(SeekFrom::Start(end + piece.len() as u64))?);
        Ok(())
    }

    /// Leaves nothing behind the end. Devices have no length.
    fn cut(&self) -> io::Result<()> {
        match self.end {
            Some(end) if self.file.metadata()?.is_file() => self.file.set_len(end),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt as _;

    use super::Tail;

    #[test]
    fn a_torn_piece_goes_when_another_process_goes_on() {
        let path = std::env::temp_dir().join(format!("agent-tail-{}", std::process::id()));
        let opened = File::create(&path).unwrap();
        let mut first = Tail::new(opened.try_clone().unwrap()).unwrap();
        first.append(b"one ").unwrap();
        first.append(b"two ").unwrap();
        // It dies while it writes.
        opened.write_all_at(b"thr", 8).unwrap();
        drop(first);
        assert_eq!(fs::read(&path).unwrap(), b"one two thr");
        let mut second = Tail::new(opened).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one two ");
        second.append(b"3").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one two 3");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_cannot_be_written_leaves_the_file_as_it_was() {
        let mut full = Tail::new(File::options().write(true).open("/dev/full").unwrap()).unwrap();
        assert!(full.append(b"piece").is_err());
        let (reader, writer) = std::io::pipe().unwrap();
        let mut pipe = Tail::new(File::from(std::os::fd::OwnedFd::from(writer))).unwrap();
        pipe.append(b"piece").unwrap();
        drop(reader);
        assert!(pipe.append(b"piece").is_err());
    }
}
