//! What can be typed after `agent policy`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::flows::CaptureArgs;
use super::run::ModeArg;
use crate::app::policy::{self, Request};
use crate::app::policy_learn;
use crate::engine::policy::rules::any_of::AnyOf;
use crate::engine::policy::rules::example::Form;

#[derive(Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Say whether a session could use a file of settings and rules, and all that is wrong with it
    Check(CheckArgs),
    /// Ask the rules of a file about the examples in it, and say which get another verdict than they must
    Test(TestArgs),
    /// Say what the rules of a file make of a request, rule by rule
    Explain(Box<ExplainArgs>),
    /// Write rules under which enforce mode allows what a capture has, and no more than a person would write
    Learn(LearnArgs),
    /// List the ready-made rules that a file can include, or print them
    Profiles(ProfilesArgs),
    /// Print a JSON Schema of the file, for editors
    Schema,
    /// Have a running session read its file of rules again
    Reload(ReloadArgs),
}

#[derive(Args)]
struct ProfilesArgs {
    /// Print this one
    name: Option<String>,
}

#[derive(Args)]
struct ReloadArgs {
    /// Name of the session
    name: String,
}

#[derive(Args)]
struct LearnArgs {
    #[command(flatten)]
    capture: CaptureArgs,
    /// Write them to this file [default: standard output]
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    output: Option<PathBuf>,
    /// Show, as a diff, which rules this file lacks; the status is 1 if it lacks any
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

#[derive(Args)]
struct CheckArgs {
    /// The file, as for `agent run --config`
    file: PathBuf,
}

#[derive(Args)]
struct TestArgs {
    /// The file, as for `agent run --config`
    file: PathBuf,
    /// The session's mode
    #[arg(long, value_enum, default_value_t = ModeArg::Observe)]
    mode: ModeArg,
}

#[derive(Args)]
struct ExplainArgs {
    /// The file, as for `agent run --config`
    file: PathBuf,
    /// URL of the request
    #[arg(required_unless_present = "flow", conflicts_with = "flow")]
    url: Option<String>,
    /// Ask about this recorded exchange instead
    #[arg(long, value_name = "ID")]
    flow: Option<i64>,
    #[command(flatten)]
    capture: CaptureArgs,
    /// The session's mode
    #[arg(long, value_enum, default_value_t = ModeArg::Observe)]
    mode: ModeArg,
    #[command(flatten)]
    request: RequestArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What the request is like.
#[derive(Args)]
#[command(next_help_heading = "The request")]
struct RequestArgs {
    /// Its method
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// One of its headers, as `name: value` (repeatable)
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// Its body
    #[arg(long, value_name = "TEXT", default_value = "")]
    body: String,
    /// It is HTTP/2, not HTTP/1.1
    #[arg(long)]
    http2: bool,
    /// The address that it goes to, with an optional port
    #[arg(long, value_name = "ADDR")]
    address: Option<String>,
    /// The host that is named in TLS, if it is another than the request's
    #[arg(long, value_name = "HOST")]
    server_name: Option<String>,
    /// The program that sends it: its path, or its name
    #[arg(long, value_name = "PROGRAM")]
    process: Option<String>,
    /// The user that sends it, by number
    #[arg(long, value_name = "UID")]
    uid: Option<u32>,
}

/// The status is 1 if a file is wrong, or an example, or if it lacks rules.
pub(super) fn policy(args: PolicyArgs) -> anyhow::Result<u8> {
    match args.action {
        Action::Check(check) => Ok(u8::from(!policy::check(&check.file)?)),
        Action::Test(test) => Ok(u8::from(!policy::test(&test.file, test.mode.into())?)),
        Action::Explain(explain) => {
            let (file, mode, json) = (explain.file.clone(), explain.mode.into(), explain.json);
            policy::explain(&file, mode, explain.request()?, json)?;
            Ok(0)
        }
        Action::Learn(LearnArgs { capture, against: Some(file), .. }) => {
            Ok(u8::from(!policy_learn::against(&capture.into(), &file)?))
        }
        Action::Learn(LearnArgs { capture, output, against: None }) => {
            policy_learn::learn(&capture.into(), output.as_deref()).map(|()| 0)
        }
        Action::Profiles(profiles) => policy::profiles(profiles.name.as_deref()).map(|()| 0),
        Action::Schema => {
            policy::schema();
            Ok(0)
        }
        Action::Reload(reload) => policy::reload(&reload.name).map(|()| 0),
    }
}

impl ExplainArgs {
    fn request(self) -> anyhow::Result<Request> {
        if let Some(id) = self.flow {
            return Ok(Request::Recorded(self.capture.into(), id));
        }
        let RequestArgs { method, header, body, http2, address, server_name, process, uid } = self.request;
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in &header {
            let (name, value) =
                line.split_once(':').with_context(|| format!("`{line}` is no header: write `name: value`"))?;
            fields.entry(name.trim().to_owned()).or_default().push(value.trim().to_owned());
        }
        let header = fields.into_iter().filter_map(|(name, values)| Some((name, AnyOf::new(values)?))).collect();
        let url = self.url.unwrap_or_default();
        let form = Form { url, method: Some(method), header, body, http2, address, server_name, process, user: uid };
        Ok(Request::Made(Box::new(form)))
    }
}
