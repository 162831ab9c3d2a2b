//! What people are asked: the supervisor's side. Somebody answers at the session's terminal, or with `agent approve`.

use std::fs;
use std::io::{IsTerminal as _, stderr, stdin};
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use anyhow::{Context as _, bail};
use nix::unistd::read;

use crate::app::control::Word;
use crate::app::handoff::Question;
use crate::engine::policy::rules::ask::Choice;
use crate::engine::policy::rules::place::Hosts;
use crate::sandbox::changeable::changeable;
use crate::sandbox::guise;
use crate::sandbox::session::User;

/// Questions that are open, and the terminal if it is ours to ask at.
pub(super) struct Questions {
    session: String,
    open: Vec<Question>,
    /// Nobody else reads what is typed.
    is_asking: bool,
    typed: String,
}

impl Questions {
    /// Of a session that has a command, or none.
    pub(super) fn new(session: &str, has_command: bool) -> Self {
        let is_asking = !has_command && stdin().is_terminal() && stderr().is_terminal();
        Self { session: session.to_owned(), open: Vec::new(), is_asking, typed: String::new() }
    }

    /// All that are open.
    pub(super) fn open(&self) -> &[Question] {
        &self.open
    }

    /// Where answers are typed, if they are.
    pub(super) fn keyboard(&self) -> Option<BorrowedFd<'static>> {
        // Standard input stays open as long as the process lives.
        static STDIN: std::sync::LazyLock<std::io::Stdin> = std::sync::LazyLock::new(stdin);
        (self.is_asking && !self.open.is_empty()).then(|| STDIN.as_fd())
    }

    /// A question has come; the answer, where nobody is there to give one.
    pub(super) fn ask(&mut self, question: Question) -> Option<Word> {
        if let Some(choice) = question.unattended.filter(|_| !stderr().is_terminal()) {
            return Some(if choice == Choice::Allow { Word::Once } else { Word::No });
        }
        self.open.push(question);
        if let [only] = &self.open[..] {
            self.show(only);
        }
        None
    }

    /// Nobody waits for it any more.
    pub(super) fn withdraw(&mut self, id: u64) {
        let first = self.open.first().map(|question| question.id);
        self.open.retain(|question| question.id != id);
        if let Some(next) = self.open.first().filter(|next| first != Some(next.id)) {
            self.show(next);
        }
    }

    /// Who asked has died.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    fn show(&self, question: &Question) {
        if stderr().is_terminal() {
            let how = if self.is_asking {
                "[y]es, for the [s]ession, [a]lways, [n]o?".to_owned()
            } else {
                format!("answer with `agent approve {}`", self.session)
            };
            crate::ui::warn(&format!("{}\n{how}", question.text()));
        }
    }

    /// Takes what was typed; the first question and its answer, once there is one.
    pub(super) fn typed(&mut self) -> Option<(u64, Word)> {
        let mut bytes = [0; 256];
        match read(self.keyboard()?, &mut bytes) {
            Ok(0) | Err(_) => self.is_asking = false,
            Ok(count) => self.typed.push_str(&String::from_utf8_lossy(bytes.get(..count).unwrap_or_default())),
        }
        let (line, rest) = self.typed.split_once('\n').map(|(line, rest)| (line.to_owned(), rest.to_owned()))?;
        self.typed = rest;
        let question = self.open.first()?;
        let word = Word::typed(&line);
        if word.is_none() {
            self.show(question);
        }
        word.map(|word| (question.id, word))
    }
}

impl Question {
    /// The question as people read it. What comes from the network is escaped.
    pub(in crate::app) fn text(&self) -> String {
        let program = self.program.as_deref().unwrap_or("a program");
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let text = format!("{program} wants {} (rule `{}`{reason})", self.request, self.rule);
        crate::ui::escape::one_line(&text).into_owned()
    }
}

impl Word {
    /// What a letter or word means.
    pub(in crate::app) fn typed(line: &str) -> Option<Self> {
        match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Some(Self::Once),
            "s" | "session" => Some(Self::Session),
            "a" | "always" => Some(Self::Always),
            "n" | "no" => Some(Self::No),
            _ => None,
        }
    }

    /// Whether what was asked about goes on.
    pub(super) const fn is_yes(self) -> bool {
        !matches!(self, Self::No)
    }
}

/// Writes a rule that allows `host`, or lets pass what goes to that address and port, into the file at `path`, before its
/// others: with no more rights than `user` has, unless that user had no say in where it is.
pub(super) fn allow_always(path: Option<&Path>, user: &User, host: &str) -> anyhow::Result<()> {
    let path = path.context("there is no file of rules to write into: start with `--config FILE`")?;
    let write = || -> anyhow::Result<()> {
        let text = fs::read_to_string(path)?;
        fs::write(path, with_rule(&text, host)?)?;
        Ok(())
    };
    if changeable(path, user.uid).is_ok_and(|part| part.is_none()) {
        return write().with_context(|| format!("cannot write `{}`", path.display()));
    }
    let written = guise::as_user(user, write)?;
    written.with_context(|| format!("user `{}` cannot write `{}`", user.name, path.display()))
}

/// The text with a rule that allows `host`, or lets pass what goes to that address and port, before its others.
fn with_rule(text: &str, host: &str) -> anyhow::Result<String> {
    let Some(at) = text.lines().position(|line| line.trim_start().starts_with("[[rule]]")) else {
        bail!("the file has no `[[rule]]` to put another before");
    };
    let rule = match host.parse::<SocketAddr>() {
        Ok(address) => {
            let (ip, port) = (address.ip().to_canonical(), address.port());
            format!("match = {{ cidr = \"{ip}\", port = {port} }}\nverdict = \"passthrough\"")
        }
        Err(_) => {
            let named: Hosts = host.parse().with_context(|| format!("no rule can name `{host}`"))?;
            // As in JSON, so in TOML.
            format!("match.host = {}\nverdict = \"allow\"", serde_json::to_string(&named.to_string())?)
        }
    };
    let rule = format!("# Allowed when it was asked about.\n[[rule]]\n{rule}\n\n");
    let (before, after): (Vec<_>, Vec<_>) = text.split_inclusive('\n').enumerate().partition(|(line, _)| *line < at);
    let joined = |lines: Vec<(usize, &str)>| lines.into_iter().map(|(_, line)| line).collect::<String>();
    Ok(joined(before) + &rule + &joined(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_always_allowed_is_written_before_the_other_rules() {
        let text = "refuse = 'drop'\n\n[[rule]]\nverdict = 'ask'\n[[rule]]\nverdict = 'block'\n";
        let expect = "refuse = 'drop'\n\n# Allowed when it was asked about.\n[[rule]]\nmatch.host = \"a.test\"\n\
                      verdict = \"allow\"\n\n[[rule]]\nverdict = 'ask'\n[[rule]]\nverdict = 'block'\n";
        assert_eq!(with_rule(text, "a.test").unwrap(), expect);
        let expect = "# Allowed when it was asked about.\n[[rule]]\nmatch = { cidr = \"2001:db8::1\", port = 7001 }\n\
                      verdict = \"passthrough\"\n\n[[rule]]\nverdict = 'ask'\n";
        assert_eq!(with_rule("[[rule]]\nverdict = 'ask'\n", "[2001:db8::1]:7001").unwrap(), expect);
        assert!(with_rule("rule = []\n", "a.test").is_err());
    }

    #[test]
    fn answers_are_typed_as_a_letter_or_a_word() {
        for (line, expect) in [
            ("y", Some(Word::Once)),
            (" Session ", Some(Word::Session)),
            ("a", Some(Word::Always)),
            ("no", Some(Word::No)),
            ("", None),
        ] {
            assert_eq!(Word::typed(line), expect, "{line}");
        }
    }
}
