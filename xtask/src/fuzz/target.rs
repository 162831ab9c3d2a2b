//! One fuzz target: where its files are, and how it is run.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::build::{PACKAGE, binary, folder};
use super::figures::Figures;
use crate::shell::{say, workspace};

/// What every target is held to: memory, the size of an input, and the time that one may take. The sanitizer keeps
/// little of what was freed, so that peak memory is that of the parser.
const LIMITS: [&str; 4] = ["-rss_limit_mb=512", "-max_len=65536", "-timeout=5", "-print_final_stats=1"];
const SANITIZER: &str = "detect_odr_violation=0:quarantine_size_mb=16";

/// A target, by name.
pub(super) struct Target(String);

/// What came of running one.
pub(super) struct Outcome {
    /// Its name.
    pub(super) target: String,
    /// What libFuzzer counted.
    pub(super) figures: Figures,
    /// What it found, and how to see it again.
    pub(super) finding: Option<String>,
}

impl Target {
    /// Those of `names`; all, if none is named.
    pub(super) fn named(names: &[String]) -> Result<Vec<Self>> {
        let folder = workspace().join(PACKAGE).join("fuzz_targets");
        let all = names_in(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        if let Some(stranger) = names.iter().find(|name| !all.contains(name)) {
            bail!("there is no fuzz target `{stranger}`; there are {}", all.join(", "));
        }
        let chosen = if names.is_empty() { all } else { names.to_vec() };
        Ok(chosen.into_iter().map(Self).collect())
    }

    /// Runs it for `time`, longer only to try what it starts from. What it says is in a log.
    pub(super) fn run(self, time: Duration) -> Result<Outcome> {
        let Self(target) = self;
        let (learnt, seeds) =
            (folder().join("corpus").join(&target), workspace().join(PACKAGE).join("corpus").join(&target));
        let (artifacts, log) = (folder().join("artifacts").join(&target), folder().join(format!("{target}.log")));
        for path in [&learnt, &seeds, &artifacts] {
            fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        }
        let binary = binary(&target)?;
        let status = Command::new(&binary)
            .args([learnt, seeds])
            .args(LIMITS)
            .arg(format!("-max_total_time={}", time.as_secs()))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .env("ASAN_OPTIONS", SANITIZER)
            .stderr(File::create(&log).with_context(|| format!("cannot create {}", log.display()))?)
            .status()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        let figures = Figures::read(&said);
        say(&format!("fuzz: {target}: {}", if status.success() { "nothing found" } else { "a finding" }));
        let finding = (!status.success()).then(|| reproduce(&binary, &said, &log));
        Ok(Outcome { target, figures, finding })
    }
}

/// What to do to see a finding again.
fn reproduce(binary: &Path, said: &str, log: &Path) -> String {
    let written = said.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, path)| path));
    let input = written.map_or_else(PathBuf::new, PathBuf::from);
    format!("see {}; again: {} {}", log.display(), binary.display(), input.display())
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
