//! Ready-made rules, by name: the files of the folder `profiles`, as they are there. A file of rules includes them, and
//! `agent policy profiles` prints them.

/// A ready-made file of rules.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// What `include` calls it.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

/// All of them.
pub const PROFILES: [Profile; 8] = [
    Profile { name: "cargo", text: include_str!("../../../profiles/cargo.toml") },
    Profile { name: "claude-code", text: include_str!("../../../profiles/claude-code.toml") },
    Profile { name: "cursor", text: include_str!("../../../profiles/cursor.toml") },
    Profile { name: "git-github-read-only", text: include_str!("../../../profiles/git-github-read-only.toml") },
    Profile { name: "no-stripe", text: include_str!("../../../profiles/no-stripe.toml") },
    Profile { name: "npm", text: include_str!("../../../profiles/npm.toml") },
    Profile { name: "pip", text: include_str!("../../../profiles/pip.toml") },
    Profile { name: "vscode", text: include_str!("../../../profiles/vscode.toml") },
];

/// There is no such profile.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile `{0}`: name one of {list}, or a file that ends in `.toml`", list = names())]
pub struct Unknown(String);

fn names() -> String {
    PROFILES.iter().map(|profile| format!("`{}`", profile.name)).collect::<Vec<_>>().join(", ")
}

impl Profile {
    /// The profile of this name.
    ///
    /// # Errors
    /// If there is none: which there are.
    pub fn named(name: &str) -> Result<Self, Unknown> {
        let found = PROFILES.into_iter().find(|profile| profile.name == name);
        found.ok_or_else(|| Unknown(name.to_owned()))
    }

    /// What it is for: its first line.
    #[must_use]
    pub fn purpose(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;
    use crate::config::file::{Around, parse};
    use crate::engine::policy::rules::example::Example;
    use crate::engine::policy::{Mode, Policy};

    #[test]
    fn the_examples_of_each_profile_get_their_verdicts_and_each_of_its_rules_has_one() {
        let around = Around {
            file: &|_| Err(io::ErrorKind::NotFound.into()),
            variable: &|_| None,
            addresses: &|_| Ok(Vec::new()),
        };
        for Profile { name, text } in PROFILES {
            let settings = parse(Path::new(name), text, &around).unwrap_or_else(|error| panic!("{error}"));
            let policy = Policy { rules: settings.rules, ..Policy::new(Mode::Enforce) };
            let mut used = Vec::new();
            for (line, Example { request, verdict, rule }) in &settings.examples {
                let judgement = policy.decide(&request.head, request.connection());
                let is_right = judgement.word == *verdict && (rule.is_none() || *rule == judgement.rule);
                assert!(is_right, "{name}:{line}: {judgement:?}");
                used.extend(judgement.rule);
            }
            let own = text.lines().filter_map(|line| line.strip_prefix("name = ")).map(|name| name.trim_matches('"'));
            for rule in own {
                assert!(used.iter().any(|used| used == rule), "{name}: no example of `{rule}`");
            }
        }
    }

    #[test]
    fn a_profile_says_what_it_is_for() {
        for profile in PROFILES {
            let has_comment = profile.text.starts_with("# ");
            assert!(has_comment && (10..=100).contains(&profile.purpose().len()), "{}", profile.name);
            assert_eq!(Profile::named(profile.name).map(|found| found.name), Ok(profile.name));
        }
        assert!(
            Profile::named("npn")
                .unwrap_err()
                .to_string()
                .starts_with("there is no profile `npn`: name one of `cargo`, ")
        );
    }
}
