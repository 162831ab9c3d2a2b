//! What a process may do, as the kernel says it: read back after privileges were given up, of one's own process or of
//! another, so that nobody has to be believed.

use std::fs;
use std::path::{Path, PathBuf};

use super::Error;

/// The identity and privileges that `/proc/PID/status` (proc_pid_status(5)) shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Real, effective, saved and file system user.
    pub uids: Vec<u32>,
    /// Real, effective, saved and file system group.
    pub gids: Vec<u32>,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Every capability that is in any of the five sets, as bits.
    pub capabilities: u64,
    /// Whether an exec can give privileges.
    pub no_new_privs: bool,
    /// Whether system calls are filtered.
    pub filtered: bool,
}

impl Standing {
    /// The calling process's.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub fn own() -> Result<Self, Error> {
        Self::read(&PathBuf::from("/proc/self/status"))
    }

    /// Another process's.
    ///
    /// # Errors
    /// If it is gone, or `/proc` cannot be read.
    pub fn of(pid: u32) -> Result<Self, Error> {
        Self::read(&Path::new("/proc").join(pid.to_string()).join("status"))
    }

    fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
        let incomplete = || Error::file("understand", path)(std::io::ErrorKind::InvalidData.into());
        Self::parse(&text).ok_or_else(incomplete)
    }

    /// What the text of `/proc/PID/status` (proc(5)) says; `None` if something is missing.
    #[must_use]
    pub fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let fields = status.lines().filter_map(|line| line.split_once(':'));
            fields.filter(|(field, _)| *field == name).map(|(_, value)| value.trim()).next()
        };
        let numbers = |name: &str| -> Option<Vec<u32>> {
            field(name)?.split_whitespace().map(|number| number.parse().ok()).collect()
        };
        let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
        let sets: Option<Vec<u64>> = sets.iter().map(|set| u64::from_str_radix(field(set)?, 16).ok()).collect();
        Some(Self {
            uids: numbers("Uid")?,
            gids: numbers("Gid")?,
            groups: numbers("Groups")?,
            capabilities: sets?.into_iter().fold(0, |all, set| all | set),
            no_new_privs: field("NoNewPrivs")? == "1",
            filtered: field("Seccomp")? == "2",
        })
    }

    /// Whether it is what it has to be.
    ///
    /// # Errors
    /// [`Error::Standing`] if it is not: the process must not go on.
    pub fn require(self, expected: &Self) -> Result<(), Error> {
        if self == *expected {
            Ok(())
        } else {
            Err(Error::Standing { is: Box::new(self), expected: Box::new(expected.clone()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Standing;

    const NOBODY: &str = "Name:\tagent\nUid:\t65534\t65534\t65534\t65534\nGid:\t1\t1\t1\t1\nGroups:\t4 5 \n\
        CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000003000\n\
        CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

    #[test]
    fn the_kernels_word_is_understood() {
        let standing = Standing::parse(NOBODY).unwrap();
        let expect = Standing {
            uids: vec![65534; 4],
            gids: vec![1; 4],
            groups: vec![4, 5],
            capabilities: 0x3000,
            no_new_privs: true,
            filtered: true,
        };
        assert_eq!(standing, expect);
        assert!(standing.clone().require(&expect).is_ok());
        let other = Standing { capabilities: 0, ..expect };
        assert!(standing.require(&other).is_err());
    }

    #[test]
    fn a_status_that_says_less_is_not_understood() {
        for line in NOBODY.lines().skip(1).filter(|line| !line.starts_with("Seccomp_filters")) {
            assert_eq!(Standing::parse(&NOBODY.replace(line, "")), None, "{line}");
        }
        assert!(Standing::own().is_ok());
    }
}
