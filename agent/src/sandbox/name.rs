//! The name of a session, which is also the name of its network namespace.

use std::fmt;
use std::str::FromStr;

/// A valid session name: a file name that is safe below `/run/netns`, `/etc/netns` and the cgroup tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Why a name is not valid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Nothing was given.
    #[error("the name is empty; give one such as `cursor-proxy-ns`")]
    Empty,
    /// Too long.
    #[error("the name has {0} bytes; at most {max} are allowed", max = Name::MAX)]
    TooLong(usize),
    /// A character that is no letter, digit, `.`, `_` or `-`, or a leading `.` or `-`.
    #[error("the name `{0}` is not allowed; use letters, digits, `.`, `_` and `-`, and begin with a letter or digit")]
    Characters(String),
}

impl Name {
    /// The longest name, in bytes: file names end at 255, and some paths add to it.
    pub const MAX: usize = 200;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        if name.is_empty() {
            return Err(Invalid::Empty);
        }
        if name.len() > Self::MAX {
            return Err(Invalid::TooLong(name.len()));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !name.chars().all(plain) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(Invalid::Characters(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Invalid, Name};

    #[test]
    fn names_that_are_safe_file_names_are_accepted() {
        for name in ["cursor-proxy-ns", "a", "1.2_3-x", &"x".repeat(200)] {
            assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_could_leave_their_directory_are_refused() {
        assert_eq!("".parse::<Name>(), Err(Invalid::Empty));
        assert_eq!("x".repeat(201).parse::<Name>(), Err(Invalid::TooLong(201)));
        for name in ["..", ".", "a/b", "/", "-x", ".hidden", "a b", "a\n", "ü", "a\0"] {
            assert_eq!(name.parse::<Name>(), Err(Invalid::Characters(name.to_owned())));
        }
    }
}
