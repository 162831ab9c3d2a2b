//! The command line: what can be typed, and what it calls.

mod flows;
mod policy;
mod run;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app;
use crate::app::approve::{self, Word};
use crate::app::bypass_test::{Choice, Format};
use crate::ui;

/// The role of the process that handles traffic; not for people.
pub const WORKER: &str = "__worker";
/// The role of the process that becomes the command; not for people.
pub const LAUNCH: &str = "__launch";
/// The role of the process that makes a user namespace; not for people.
pub const OWNER: &str = "__owner";
/// The role of the process that holds a session open for `agent bypass-test`; not for people.
pub const HOLD: &str = "__hold";
/// The role of the process that makes an attempt for `agent bypass-test`; not for people.
pub const ATTEMPT: &str = "__attempt";
/// The role of the process that tries at a moment of a session's life, for `agent bypass-test`; not for people.
pub const PESTER: &str = "__pester";
/// The role of the command that leaves such a process behind; not for people.
pub const LEAVE: &str = "__leave";
/// The role of the process in a session that sends a request again; not for people.
pub const REPLAY: &str = "__replay";
/// Exit status when the agent itself failed.
const FAILED: u8 = 125;

/// Runs programs in a network namespace of their own, where all they send is intercepted, shown and contained.
#[derive(Parser)]
#[command(name = "agent", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a command in an intercepted namespace; without a command, bring the namespace up and stay
    Run(Box<run::RunArgs>),
    /// Run a command in a session that is up
    Exec(ExecArgs),
    /// List sessions
    Ls(Output),
    /// Show what a session is made of
    Status(Named),
    /// End a session
    Down(Down),
    /// Remove what killed sessions left behind
    Gc(Output),
    /// Show live connections, totals and refused attempts, straight from the kernel's maps
    Stats(StatsArgs),
    /// List what a session has recorded, show it, compare it, delete it
    Flows(flows::FlowsArgs),
    /// Write what a session has recorded as HAR, JSON, files of bodies, key log, packets
    Export(flows::ExportArgs),
    /// Send a recorded request again, in a running session, and show both answers
    Replay(flows::ReplayArgs),
    /// Check rules, and explain what they make of a request
    Policy(policy::PolicyArgs),
    /// Answer what a running session asks
    Approve(Approve),
    /// Say whether an audit is whole
    Audit(AuditArgs),
    /// Say what this machine lacks, and what to do about it
    Doctor(Output),
    /// Try to get round sessions of its own in every known way, and say what stopped each
    BypassTest(BypassTest),
}

#[derive(Args)]
struct AuditArgs {
    #[command(subcommand)]
    action: AuditAction,
}

#[derive(Subcommand)]
enum AuditAction {
    /// Follow the lines of a file that `agent run --audit` has written
    Verify {
        /// The file
        file: PathBuf,
        /// The hash of its last line, where that was kept
        #[arg(long, value_name = "HASH")]
        expect: Option<String>,
    },
}

/// Without an answer, asks at this terminal until the session ends.
#[derive(Args)]
struct Approve {
    /// Name of the session
    name: String,
    /// The question [default: all that are open]
    id: Option<u64>,
    /// The answer
    #[arg(long, value_enum, conflicts_with = "list")]
    answer: Option<AnswerArg>,
    /// List what is open
    #[arg(long, conflicts_with = "id")]
    list: bool,
    /// List it as JSON
    #[arg(long, requires = "list")]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum AnswerArg {
    /// What waits goes on
    Once,
    /// So do others like it, until the session ends
    Session,
    /// A rule is written into the session's file that lets them
    Always,
    /// What waits does not go on
    No,
}

impl From<AnswerArg> for Word {
    fn from(arg: AnswerArg) -> Self {
        match arg {
            AnswerArg::Once => Self::Once,
            AnswerArg::Session => Self::Session,
            AnswerArg::Always => Self::Always,
            AnswerArg::No => Self::No,
        }
    }
}

#[derive(Args)]
struct Output {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Named {
    /// The session's name
    name: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Down {
    /// The session's name
    name: String,
    /// Kill its processes instead of asking them to end first
    #[arg(long)]
    now: bool,
}

#[derive(Args)]
struct BypassTest {
    /// Make only this attempt
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// Make the attempts outside of any session, where they must be seen: the test of the test
    #[arg(long)]
    control: bool,
    /// Print the table of docs/bypass.md
    #[arg(long, conflicts_with = "json", hide_short_help = true)]
    markdown: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct ExecArgs {
    /// The session's name
    name: String,
    /// Run the command as this user [default: whoever called sudo]
    #[arg(long)]
    user: Option<String>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

#[derive(Args)]
struct StatsArgs {
    /// The session's name
    name: String,
    /// Go on until the session ends, a reading each second
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    output: Output,
}

/// The `agent` binary.
#[must_use]
pub fn main() -> ExitCode {
    match dispatch(std::env::args_os().collect()) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            ui::warn(&format!("{error:#}{}", remedy(&error)));
            ExitCode::from(FAILED)
        }
    }
}

/// What to do about causes that can come up anywhere.
fn remedy(error: &anyhow::Error) -> &'static str {
    let code = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()?.raw_os_error()).last();
    match code {
        Some(nix::libc::EMFILE | nix::libc::ENFILE) => "; raise the limit of open files: `ulimit -n 1024`",
        Some(nix::libc::ENOSPC) => "; make room on the file system that is full",
        _ => "",
    }
}

fn dispatch(args: Vec<OsString>) -> anyhow::Result<u8> {
    let text = |at: usize| args.get(at).map(|arg| arg.to_string_lossy()).unwrap_or_default();
    match args.get(1) {
        Some(role) if role == WORKER => {
            app::worker::main(args.get(2).is_some_and(|arg| arg == app::worker::RECORDS)).map(|()| 0)
        }
        Some(role) if role == LAUNCH => {
            app::exec::launch_child(args.into_iter().skip(2)).map(|failure| failed_launch(&failure))
        }
        Some(role) if role == OWNER => app::sandbox_up::help_own().map(|()| 0),
        Some(role) if role == HOLD => app::bypass_test::hold().map(|()| 0),
        Some(role) if role == ATTEMPT => app::bypass_test::attempt_inside(&text(2), &text(3)).map(|()| 0),
        Some(role) if role == PESTER => app::bypass_test::pester(&text(2)).map(|()| 0),
        Some(role) if role == REPLAY => app::replay::inside().map(|()| 0),
        Some(role) if role == LEAVE => app::bypass_test::leave(&text(2)).map(|()| 0),
        _ => match Cli::try_parse_from(args) {
            Ok(cli) => command(cli.command),
            Err(error) => usage(&error),
        },
    }
}

/// Help and version are answers; anything else is a mistake.
fn usage(error: &clap::Error) -> anyhow::Result<u8> {
    error.print()?;
    Ok(if error.use_stderr() { FAILED } else { 0 })
}

fn command(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Run(args) => return app::supervisor::run(&crate::config::run((*args).into())?),
        Command::Exec(args) => {
            let failure = app::exec::exec(&args.name, args.user.as_deref(), args.command)?;
            return Ok(failed_launch(&failure));
        }
        Command::Ls(output) => app::sessions::list(output.json)?,
        Command::Status(named) => app::sessions::status(&named.name, named.output.json)?,
        Command::Down(down) => app::sessions::down(&down.name, down.now)?,
        Command::Gc(output) => app::sessions::collect(output.json)?,
        Command::Stats(args) => app::stats::stats(&args.name, args.output.json, args.watch)?,
        Command::BypassTest(args) => {
            let format = match (args.output.json, args.markdown) {
                (true, _) => Format::Json,
                (false, true) => Format::Markdown,
                (false, false) => Format::Text,
            };
            let choice = Choice { only: args.only.as_deref(), control: args.control, format };
            return Ok(u8::from(!app::bypass_test::bypass_test(&choice)?));
        }
        Command::Flows(args) => flows::flows(args)?,
        Command::Export(args) => flows::export(args)?,
        Command::Replay(args) => flows::replay(args)?,
        Command::Policy(args) => return policy::policy(args),
        Command::Approve(Approve { name, answer: Some(answer), id, .. }) => approve::answer(&name, id, answer.into())?,
        Command::Approve(Approve { name, list: true, json, .. }) => approve::list(&name, json)?,
        Command::Audit(AuditArgs { action: AuditAction::Verify { file, expect } }) => {
            return Ok(u8::from(!app::audit::verify(&file, expect.as_deref())?));
        }
        Command::Approve(Approve { name, .. }) => approve::watch(&name)?,
        Command::Doctor(output) => return Ok(u8::from(!app::doctor::doctor(output.json)?)),
    }
    Ok(0)
}

fn failed_launch(failure: &crate::sandbox::launch::Failure) -> u8 {
    ui::warn(&app::chain(failure));
    failure.exit_status()
}
