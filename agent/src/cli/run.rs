//! What can be typed after `agent run`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::{RunInput, capture};
use crate::ebpf::dataplane::Attachment;
use crate::engine::policy::{Carrier, Mode, Policy};
use crate::sandbox::allowances::Allowance;

const OPENINGS: &str = "Openings: each warns of what it opens";

#[derive(Args)]
pub(super) struct RunArgs {
    /// Name of the session and of its network namespace
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    netns: String,
    /// Read settings from this file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is allowed
    #[arg(long, value_enum, default_value_t = ModeArg::Observe)]
    mode: ModeArg,
    /// Run the command as this user [default: whoever called sudo]
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Trust the roots in this PEM file upstream, besides the system's (repeatable)
    #[arg(long, value_name = "FILE")]
    upstream_ca: Vec<PathBuf>,
    /// Forward DNS queries to this resolver [default: those of /etc/resolv.conf] (repeatable)
    #[arg(long, value_name = "ADDR[:PORT]")]
    dns: Vec<String>,
    /// Issue certificates with this authority [default: one made for the session]
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// The private key of `--ca-cert`
    #[arg(long, value_name = "FILE")]
    ca_key: Option<PathBuf>,
    /// Stay until every process of the session has ended [default: end those that outlive the command]
    #[arg(long)]
    wait_all: bool,
    /// Keep the session's log in this file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Record the session in this directory, which is made [default: one below ~/.local/state/agent/captures]
    #[arg(long, value_name = "DIR", conflicts_with = "no_capture")]
    capture: Option<PathBuf>,
    /// Record nothing
    #[arg(long)]
    no_capture: bool,
    /// Mask credentials before they are recorded
    #[arg(long, conflicts_with = "no_capture")]
    redact: bool,
    /// Write the session's packets to this file, with the keys that decrypt them (pcapng)
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Write the keys of all TLS connections to this file, the program's and those to servers (SSLKEYLOGFILE)
    #[arg(long, value_name = "FILE")]
    keylog: Option<PathBuf>,
    /// Write every verdict behind what is in this file, so that changes of it show (JSON lines)
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Let setuid programs gain privileges
    #[arg(long, help_heading = OPENINGS)]
    allow_new_privs: bool,
    /// Refuse no system call
    #[arg(long, help_heading = OPENINGS)]
    allow_all_syscalls: bool,
    /// Let user namespaces be made, as the sandbox of Chromium and Electron needs [observe: allowed]
    #[arg(long, help_heading = OPENINGS)]
    allow_user_namespaces: bool,
    /// Let processes trace one another, as debuggers do [observe: allowed]
    #[arg(long, help_heading = OPENINGS)]
    allow_ptrace: bool,
    /// Let services of the host on Unix sockets, and the user's other processes, be reached [observe: allowed]
    #[arg(long, help_heading = OPENINGS)]
    allow_host: bool,
    /// Follow the file of rules although the command's user can change it [observe: allowed]
    #[arg(long, help_heading = OPENINGS)]
    allow_own_rules: bool,
    /// Give the command CAP_NET_ADMIN and CAP_NET_RAW over the session's network namespace
    #[arg(long, help_heading = OPENINGS)]
    allow_net_admin: bool,
    /// How HTTP is carried [default: verbatim]
    #[arg(long, value_enum, hide_short_help = true)]
    carrier: Option<CarrierArg>,
    /// How the tc programs are attached [default: what the kernel offers]
    #[arg(long, value_enum, hide_short_help = true)]
    tc: Option<TcArg>,
    /// The command and its arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ModeArg {
    /// Allow all TCP but what a rule blocks, record everything
    Observe,
    /// Refuse what no rule allows, and what is not understood
    Enforce,
    /// Allow all TCP, and report what enforce would do
    DryRun,
}

#[derive(Clone, Copy, ValueEnum)]
enum CarrierArg {
    /// Pass its bytes as they came, and read them beside
    Verbatim,
    /// End it here and begin it anew on the other side
    Terminate,
}

#[derive(Clone, Copy, ValueEnum)]
enum TcArg {
    /// Links, from kernel 6.6 on
    Tcx,
    /// A qdisc and filters, on any kernel
    Clsact,
}

impl From<ModeArg> for Mode {
    fn from(arg: ModeArg) -> Self {
        match arg {
            ModeArg::Observe => Self::Observe,
            ModeArg::Enforce => Self::Enforce,
            ModeArg::DryRun => Self::DryRun,
        }
    }
}

impl From<RunArgs> for RunInput {
    fn from(args: RunArgs) -> Self {
        let allowances = openings(&args);
        let mode = args.mode.into();
        let carrier = args.carrier.map(|carrier| match carrier {
            CarrierArg::Verbatim => Carrier::Verbatim,
            CarrierArg::Terminate => Carrier::Terminate,
        });
        let attachment = args.tc.map(|tc| match tc {
            TcArg::Tcx => Attachment::Tcx,
            TcArg::Clsact => Attachment::Clsact,
        });
        Self {
            attachment,
            config: args.config,
            name: args.netns,
            policy: Policy { carrier: carrier.unwrap_or_default(), ..Policy::new(mode) },
            user: args.user,
            upstream_ca: args.upstream_ca,
            dns: args.dns,
            ca_cert: args.ca_cert,
            ca_key: args.ca_key,
            wait_all: args.wait_all,
            log: args.log,
            capture: capture::Input { directory: args.capture, is_off: args.no_capture, redact: args.redact },
            pcap: args.pcap,
            keylog: args.keylog,
            audit: args.audit,
            allowances,
            command: args.command,
        }
    }
}

/// The openings that were asked for.
fn openings(args: &RunArgs) -> Vec<Allowance> {
    let asked = |allowance: &Allowance| match allowance {
        Allowance::NewPrivs => args.allow_new_privs,
        Allowance::AllSyscalls => args.allow_all_syscalls,
        Allowance::UserNamespaces => args.allow_user_namespaces,
        Allowance::Ptrace => args.allow_ptrace,
        Allowance::Host => args.allow_host,
        Allowance::OwnRules => args.allow_own_rules,
        Allowance::NetAdmin => args.allow_net_admin,
    };
    Allowance::ALL.into_iter().filter(asked).collect()
}
