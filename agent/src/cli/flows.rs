//! What can be typed after `agent flows`, `agent export` and `agent replay`.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};

use crate::app::captures::Choice;
use crate::app::export::{self, Export};
use crate::app::flows::{self, Form, Prune, Query, Schemas};
use crate::app::replay;
use crate::capture::read::Filter;
use crate::capture::read::filter::Status;
use crate::engine::http::exchange::Direction;
use crate::engine::record::time;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct FlowsArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    capture: CaptureArgs,
    /// Print JSON; one object a line with `--follow`
    #[arg(long)]
    json: bool,
    /// Go on with what comes, until the session ends
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    filters: FilterArgs,
}

#[derive(Subcommand)]
enum Action {
    /// Show an exchange: heads, times, bodies and messages decoded
    Show(ShowArgs),
    /// Show where two exchanges differ
    Diff(DiffArgs),
    /// Print a command of curl that repeats a request
    Curl(CurlArgs),
    /// Delete captures, and say which
    Prune(PruneArgs),
}

/// Which capture.
#[derive(Args)]
pub(super) struct CaptureArgs {
    /// The capture of this session, or the latest of that name [default: the latest of all]
    #[arg(long, value_name = "NAME")]
    netns: Option<String>,
    /// The capture in this directory
    #[arg(long, value_name = "DIR", conflicts_with = "netns")]
    session: Option<PathBuf>,
}

/// Which exchanges.
#[derive(Args)]
#[command(next_help_heading = "Filters: repeated, one of a kind has to fit")]
struct FilterArgs {
    /// Of this host; `*` is any text: `api.example`, `*.example`, `*cdn*`
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// With this method
    #[arg(long, value_name = "METHOD")]
    method: Vec<String>,
    /// With this text in path or query; with `*` in it, of all of both
    #[arg(long, value_name = "PATH")]
    path: Vec<String>,
    /// With this status: 404, 4xx, 200-299, >=500, <400, none
    #[arg(long, value_name = "STATUS")]
    status: Vec<Status>,
    /// Of this process: its number, its name or its executable, in which `*` is any text
    #[arg(long, value_name = "PROCESS")]
    process: Vec<String>,
    /// Begun since: 90s, 5m, 2h, 7d ago, or a time as 2026-01-02 or 2026-01-02T15:04:05Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<i64>,
    /// Calls of this gRPC, gRPC-Web or Connect service or method; its package may be left out
    #[arg(long, value_name = "SERVICE[/METHOD]")]
    grpc: Vec<String>,
    /// With this text in a body, as it is decoded, or in a message
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// For which this holds, in SQL over `e` (exchanges) and `c` (connections): "e.response_size > 10000"
    #[arg(long, value_name = "CONDITION")]
    sql: Option<String>,
}

#[derive(Args)]
struct SchemaArgs {
    /// Read protocol buffers by the .proto files in this folder (repeatable)
    #[arg(long, value_name = "DIR")]
    proto: Vec<PathBuf>,
    /// Read protocol buffers by this descriptor set, as `protoc --descriptor_set_out` writes it (repeatable)
    #[arg(long, value_name = "FILE")]
    descriptors: Vec<PathBuf>,
}

#[derive(Args)]
struct ShowArgs {
    /// The exchange's number
    id: i64,
    #[command(flatten)]
    capture: CaptureArgs,
    #[command(flatten)]
    schemas: SchemaArgs,
    /// Print JSON
    #[arg(long, conflicts_with = "raw")]
    json: bool,
    /// Print the bytes of this body, decoded, and nothing else
    #[arg(long, value_name = "DIRECTION")]
    raw: Option<DirectionArg>,
    /// Show every event, also of an answer that has been put together
    #[arg(long, conflicts_with_all = ["json", "raw"])]
    messages: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum DirectionArg {
    /// The request's
    Request,
    /// The response's
    Response,
}

#[derive(Args)]
struct DiffArgs {
    /// An exchange's number
    a: i64,
    /// Another's
    b: i64,
    #[command(flatten)]
    capture: CaptureArgs,
    #[command(flatten)]
    schemas: SchemaArgs,
}

#[derive(Args)]
struct CurlArgs {
    /// The exchange's number
    id: i64,
    #[command(flatten)]
    capture: CaptureArgs,
    /// Write the request's body to this file, which the command then names
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
}

#[derive(Args)]
struct PruneArgs {
    /// Only captures of sessions with this name
    #[arg(long, value_name = "NAME")]
    netns: Option<String>,
    /// The capture in this directory
    #[arg(long, value_name = "DIR", conflicts_with_all = ["netns", "older_than", "keep"])]
    session: Option<PathBuf>,
    /// Those that began before: 12h, 7d ago, or a time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    older_than: Option<i64>,
    /// All but the N latest
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    capture: CaptureArgs,
    /// Write HAR 1.2, which browsers and most tools read; `-` is standard output, here and below
    #[arg(long, value_name = "FILE")]
    har: Option<PathBuf>,
    /// Write JSON, an exchange a line
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    /// Write each body, decoded, to a file in this folder
    #[arg(long, value_name = "DIR")]
    bodies: Option<PathBuf>,
    /// Write the session's TLS secrets, for Wireshark; no filter applies
    #[arg(long, value_name = "FILE")]
    keylog: Option<PathBuf>,
    /// Write packets that are made from the exchanges, in the clear, for programs that read nothing else
    #[arg(long, value_name = "FILE")]
    pcapng: Option<PathBuf>,
    #[command(flatten)]
    filters: FilterArgs,
}

#[derive(Args)]
pub(super) struct ReplayArgs {
    /// The exchange's number
    id: i64,
    /// The running session to send it in
    #[arg(long, value_name = "NAME")]
    netns: String,
    /// The capture that has the exchange [default: that of the running session]
    #[arg(long, value_name = "DIR")]
    session: Option<PathBuf>,
    /// Print both answers as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `agent flows`.
pub(super) fn flows(args: FlowsArgs) -> anyhow::Result<()> {
    let FlowsArgs { action, capture, filters, json, follow } = args;
    match action {
        None => flows::list(&filters.query(capture), json, follow),
        Some(Action::Show(args)) => {
            let form = match (args.json, args.raw, args.messages) {
                (true, ..) => Form::Json,
                (_, Some(DirectionArg::Request), _) => Form::Raw(Direction::Request),
                (_, Some(DirectionArg::Response), _) => Form::Raw(Direction::Response),
                (.., true) => Form::Messages,
                (.., false) => Form::Page,
            };
            flows::show(&args.capture.into(), args.id, form, &args.schemas.into())
        }
        Some(Action::Diff(args)) => flows::diff(&args.capture.into(), [args.a, args.b], &args.schemas.into()),
        Some(Action::Curl(args)) => flows::curl(&args.capture.into(), args.id, args.body.as_deref()),
        Some(Action::Prune(PruneArgs { netns, session, older_than: before, keep, dry_run })) => {
            flows::prune(&Prune { netns, session, before, keep, dry_run })
        }
    }
}

/// Runs `agent export`.
pub(super) fn export(args: ExportArgs) -> anyhow::Result<()> {
    let ExportArgs { capture, har, jsonl, bodies, keylog, pcapng, filters } = args;
    export::export(&Export { query: filters.query(capture), har, jsonl, bodies, keylog, pcapng })
}

/// Runs `agent replay`.
pub(super) fn replay(args: ReplayArgs) -> anyhow::Result<()> {
    let choice = Choice { netns: args.session.is_none().then(|| args.netns.clone()), directory: args.session };
    replay::replay(&args.netns, &choice, args.id, args.json)
}

impl FilterArgs {
    fn query(self, capture: CaptureArgs) -> Query {
        let is_whole = |sql: &String| {
            let first = sql.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
            matches!(first.as_str(), "select" | "with" | "values")
        };
        let (select, condition) =
            if self.sql.as_ref().is_some_and(is_whole) { (self.sql, None) } else { (None, self.sql) };
        let filter = Filter {
            hosts: self.host,
            methods: self.method,
            paths: self.path,
            statuses: self.status,
            processes: self.process,
            since: self.since,
            grpc: self.grpc,
            condition,
        };
        Query { choice: capture.into(), filter, grep: self.grep, select }
    }
}

impl From<CaptureArgs> for Choice {
    fn from(args: CaptureArgs) -> Self {
        Self { netns: args.netns, directory: args.session }
    }
}

impl From<SchemaArgs> for Schemas {
    fn from(args: SchemaArgs) -> Self {
        Self { proto: args.proto, descriptors: args.descriptors }
    }
}

/// A time as it is typed, in microseconds since 1970.
fn moment(text: &str) -> Result<i64, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ago = span(text).map(|span| now.saturating_sub(span));
    let ago = ago.and_then(|time| i64::try_from(time.as_micros()).ok());
    ago.or_else(|| time::parse(text)).ok_or_else(|| {
        "write 90s, 5m, 2h or 7d for so long ago, or a time as 2026-01-02 or 2026-01-02T15:04:05Z".to_owned()
    })
}

fn span(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_so_long_ago_or_a_date() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("2h", 7_200), ("7d", 604_800)] {
            assert_eq!(span(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "5", "m", "-5m", "5w", "5 m", "99999999999999999999d", "9999999999999999999d", "ü"] {
            assert_eq!(span(text), None, "{text}");
        }
        assert_eq!(moment("1970-01-02"), Ok(86_400_000_000));
        assert!(moment("5m").unwrap() > 1_700_000_000_000_000);
        assert!(moment("yesterday").is_err());
    }
}
