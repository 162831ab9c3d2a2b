//! Everything a developer or CI runs, as `cargo xtask COMMAND`. It only starts other programs and reads source files;
//! nothing of the product is in here, so that it compiles before `setup` has installed what the product needs.

#![allow(clippy::disallowed_methods, reason = "this program runs others, as the environment tells it")]

mod build;
mod ci;
mod fuzz;
mod setup;
mod shell;
mod suites;
mod tidy;
mod tools;

use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  setup                install what a fresh machine lacks; does nothing where all is there
  build-ebpf           build the eBPF programs and show their sizes
  build                build the release binary
  install [--to DIR]   copy the release binary to DIR (default: /usr/local/bin)
  demo                 show a real program being intercepted
  test [ARG...]        run every test, the privileged ones as root; ARGs go to `cargo test`
  ci                   everything that CI checks, tests included
  tidy                 check the rules of the source tree that no other tool knows
  fuzz [--seconds N] [TARGET...]
                       give bad bytes to every parser, each for N seconds (default: 60)
  bench                measure, beside the direct connection
  soak [--minutes M]   run sessions and connections by the thousand, and say what grew (default: 10 minutes)
  help                 show this text";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = args.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    match dispatch(command, rest) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            shell::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
        None => {
            shell::say(USAGE);
            ExitCode::from(2)
        }
    }
}

/// Runs `command`; `None` if there is no such command or it does not take these arguments.
fn dispatch(command: &str, args: &[String]) -> Option<Result<()>> {
    let result = match (command, args) {
        ("setup", []) => setup::setup(),
        ("build-ebpf", []) => build::ebpf(),
        ("build", []) => build::release(),
        ("install", []) => build::install("/usr/local/bin".as_ref()),
        ("install", [to, folder]) if to == "--to" => build::install(folder.as_ref()),
        ("demo", []) => suites::demo(),
        ("test", _) => suites::test(args),
        ("ci", []) => ci::ci(),
        ("fuzz", _) => fuzz::fuzz(args),
        ("tidy", []) => tidy::tidy(),
        ("bench", []) => suites::bench(),
        ("soak", _) => suites::soak(args),
        ("help" | "-h" | "--help", _) => {
            shell::print(USAGE);
            Ok(())
        }
        _ => return None,
    };
    Some(result)
}
