//! What a file of rules includes: ready-made rules by name, and other files by path. They have rules, examples and
//! inclusions of their own; all else is the session's file's to say.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::document::{self, Mistake};
use super::file::{Around, Source, Wrong};
use super::profiles::Profile;
use crate::engine::policy::rules::example::Example;
use crate::engine::policy::rules::rule::Rule;

/// How deep inclusions go: what a file includes is 1 deep.
const MAX_DEPTH: usize = 4;

/// Most files and profiles that are included in all.
const MAX_INCLUDED: usize = 64;

/// A file that is included.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    include: Vec<Spanned<String>>,
    #[serde(default)]
    rule: Vec<Spanned<Rule>>,
    /// Asked of that file alone: who includes it may have rules before these.
    #[serde(default, rename = "example")]
    _example: Vec<Spanned<Example>>,
}

/// What a file includes, collected.
pub(super) struct Included<'a> {
    around: &'a Around<'a>,
    /// The file that is read, after those that led to it.
    chain: Vec<PathBuf>,
    /// All that was included. Again would change nothing: the first rule that is about a request decides.
    seen: BTreeSet<PathBuf>,
    /// The rules, in the order in which they count.
    pub rules: Vec<Rule>,
    /// Included files that cannot be used.
    pub wrong: Vec<Wrong>,
}

impl<'a> Included<'a> {
    /// Nothing yet, for the file at `path`.
    pub(super) fn new(path: &Path, around: &'a Around<'a>) -> Self {
        Self { around, chain: vec![normal(path)], seen: BTreeSet::new(), rules: Vec::new(), wrong: Vec::new() }
    }

    /// Takes in what a file names in `include`, and says what is wrong with those names.
    pub(super) fn take_in(&mut self, source: &Source<'_>, names: &[Spanned<String>]) -> Vec<Mistake> {
        let mistake = |name: &Spanned<String>, what| Mistake::at(source.text, &name.span(), what);
        let taken = names.iter().map(|name| (name, self.one(source.folder, name.as_ref())));
        taken.filter_map(|(name, taken)| Some(mistake(name, taken.err()?))).collect()
    }

    fn one(&mut self, folder: &Path, name: &str) -> Result<(), String> {
        let is_file = Path::new(name).extension().is_some_and(|extension| extension == "toml");
        let path: PathBuf = if is_file { folder.join(name).components().collect() } else { PathBuf::from(name) };
        let place = normal(&path);
        if let Some(at) = self.chain.iter().position(|open| *open == place) {
            let circle = self.chain.iter().skip(at).chain([&place]).map(|file| file.display().to_string());
            return Err(format!("a cycle: {}", circle.collect::<Vec<_>>().join(" includes ")));
        }
        if self.chain.len() > MAX_DEPTH {
            return Err(format!("`{name}` is more than {MAX_DEPTH} inclusions deep"));
        }
        if self.seen.contains(&place) {
            return Ok(());
        }
        if self.seen.len() >= MAX_INCLUDED {
            return Err(format!("more than {MAX_INCLUDED} files are included"));
        }
        let text = if is_file { self.text(&path, name)? } else { named(name)?.text.to_owned() };
        self.seen.insert(place.clone());
        self.chain.push(place);
        let mistakes = self.file(&path, &text).err().unwrap_or_default();
        self.chain.pop();
        self.wrong.extend(Wrong::new(&path, mistakes));
        Ok(())
    }

    fn text(&self, path: &Path, name: &str) -> Result<String, String> {
        let content = (self.around.file)(path).map_err(|error| format!("`{name}` cannot be read: {error}"))?;
        String::from_utf8(content).map_err(|_invalid| format!("`{name}` is no text"))
    }

    /// Takes in an included file: its rules, then what it includes.
    fn file(&mut self, path: &Path, text: &str) -> Result<(), Vec<Mistake>> {
        let document: Document = document::read(text)?;
        let source = Source::new(path, text, self.around);
        let (rules, mut mistakes) = source.rules(document.rule);
        self.rules.extend(rules);
        mistakes.extend(self.take_in(&source, &document.include));
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }
}

fn named(name: &str) -> Result<Profile, String> {
    Profile::named(name).map_err(|unknown| unknown.to_string())
}

/// A path without `.` and, as far as its own text says, `..`: to know a file again, not to open it.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        let last = normal.components().next_back();
        match (part, last) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                normal.pop();
            }
            _ => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::super::file::{Settings, parse};
    use super::*;

    /// Reads the first of these files.
    fn read(files: &[(&str, &str)]) -> Result<Settings, String> {
        let find = |path: &Path| files.iter().find(|(name, _)| normal(path) == Path::new(name));
        let file = |path: &Path| match find(path) {
            Some((_, text)) => Ok(text.as_bytes().to_vec()),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        let around = Around { file: &file, variable: &|_| None, addresses: &|_| Ok(Vec::new()) };
        parse(Path::new(files[0].0), files[0].1, &around).map_err(|error| error.to_string())
    }

    fn names(settings: &Settings) -> Vec<String> {
        (0..settings.rules.all().len()).map(|number| settings.rules.name(number)).collect()
    }

    #[test]
    fn a_files_own_rules_come_first_and_then_what_it_includes_in_that_order_and_once() {
        let rule = |name: &str| format!("[[rule]]\nname = '{name}'\nverdict = 'allow'\n");
        let main = format!("include = ['sub/one.toml', './two.toml', 'no-stripe']\n{}", rule("own"));
        let one = format!("include = ['../two.toml', 'three.toml', 'no-stripe']\n{}", rule("one"));
        let (two, three) = (rule("two"), rule("three"));
        let files = [("main.toml", &*main), ("sub/one.toml", &*one), ("two.toml", &*two), ("sub/three.toml", &*three)];
        let found = names(&read(&files).unwrap());
        assert_eq!(found[..4], ["own", "one", "two", "three"]);
        assert!(found.len() > 4 && found.iter().collect::<BTreeSet<_>>().len() == found.len(), "{found:?}");
    }

    #[test]
    fn what_an_included_file_names_is_found_beside_it_and_its_examples_are_its_own() {
        let one = "[[rule]]\nverdict.mock.file = 'body'\n[[example]]\nrequest.url = 'https://a/'\nverdict = 'block'\n";
        let files = [("main.toml", "include = ['sub/one.toml']"), ("sub/one.toml", one), ("sub/body", "text")];
        let settings = read(&files).unwrap();
        assert_eq!((settings.rules.all().len(), settings.examples.len()), (1, 0));
        let other = [("main.toml", "include = ['sub/one.toml']"), ("sub/one.toml", "")];
        assert_ne!(read(&other).unwrap().hash, settings.hash);
    }

    #[test]
    fn what_is_wrong_is_named_with_the_file_that_it_is_in() {
        let include = |name: &str| format!("refuse = 'drop'\ninclude = ['{name}']\n");
        for (name, text, expect) in [
            ("npn", "", "main.toml:2:12: there is no profile `npn`: name one of `cargo`, `claude-code`, `cursor`, "),
            ("none.toml", "", "main.toml:2:12: `none.toml` cannot be read: "),
            ("a.toml", "[[rule]]\nverdict = 'no'", "a.toml:2:11: unknown variant `no`"),
            ("a.toml", "[[rule]]\nname = 'idle'", "a.toml:1:1: a rule that does nothing"),
            (
                "a.toml",
                "refuse = 'drop'",
                "a.toml:1:1: unknown field `refuse`, expected one of `include`, `rule`, `example`",
            ),
            (
                "a.toml",
                "include = ['x/../main.toml']",
                "a.toml:1:12: a cycle: main.toml includes a.toml includes main.toml",
            ),
            ("a.toml", "include = ['./a.toml']", "a.toml:1:12: a cycle: a.toml includes a.toml"),
            ("main.toml", "", "main.toml:2:12: a cycle: main.toml includes main.toml"),
        ] {
            let main = include(name);
            let told = read(&[("main.toml", &main), ("a.toml", text)]).err().unwrap();
            assert!(told.starts_with(expect) && told.lines().count() == 1, "{text}: {told}");
        }
        let main = include("a.toml") + "[[rule]]\nname = 'idle'\n";
        let told =
            read(&[("main.toml", &main), ("a.toml", "include = ['npn']\n[[rule]]\nname = 'idle'")]).err().unwrap();
        let places: Vec<&str> = told.lines().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(places, ["main.toml:3:1", "a.toml:1:12", "a.toml:2:1"]);
    }

    #[test]
    fn inclusions_have_an_end() {
        let name = |depth: usize| format!("{depth}.toml");
        let text = |depth: usize| format!("include = ['{}']", name(depth + 1));
        let owned: Vec<(String, String)> = (0..=5).map(|depth| (name(depth), text(depth))).collect();
        let mut files: Vec<(&str, &str)> = owned.iter().map(|(name, text)| (&**name, &**text)).collect();
        let told = read(&files).err().unwrap();
        assert_eq!(told, "4.toml:1:12: `5.toml` is more than 4 inclusions deep");
        files[4].1 = "";
        assert!(read(&files).is_ok());
        let many: Vec<String> = (0..=MAX_INCLUDED).map(|number| format!("'{number}/a.toml'")).collect();
        let main = format!("include = [{}]", many.join(","));
        let file = |_: &Path| Ok(Vec::new());
        let around = Around { file: &file, variable: &|_| None, addresses: &|_| Ok(Vec::new()) };
        let told = parse(Path::new("main.toml"), &main, &around).err().unwrap().to_string();
        assert!(told.ends_with("more than 64 files are included") && told.lines().count() == 1, "{told}");
    }
}
