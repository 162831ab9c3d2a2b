//! What a session's packets and keys are told to, as far as the user asked for it: the parts of `capture`, introduced to
//! the proxy and to the kernel's maps.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use agent_common::maps::{self, Config, Flow, FlowKey};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::capture::Recorder;
use crate::capture::keylog::{self, Keylog};
use crate::capture::packets::{About, Packets};
use crate::ebpf::flows::FlowTable;
use crate::engine::policy::{Policy, Refuse};
use crate::engine::process::Process;
use crate::engine::record::keylog::line;
use crate::engine::record::remark::Recorded;
use crate::proxy::{Secrets, Side};
use crate::sandbox::link;

/// A descriptor that not every worker gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Extra {
    /// The socket that sees the packets of the veth.
    Packets,
    /// Where they go.
    Pcap,
    /// Where the keys go.
    Keylog,
    /// Where the verdicts go.
    Audit,
}

/// What the programs of a session know about it.
pub(super) fn kernel_config(policy: &Policy) -> Config {
    Config {
        child4: maps::address(link::CHILD4.into()),
        child6: maps::address(link::CHILD6.into()),
        gateway4: maps::address(link::GATEWAY4.into()),
        gateway6: maps::address(link::GATEWAY6.into()),
        ifindex: link::GATEWAY_IFINDEX,
        child_mac: maps::mac(link::CHILD_MAC),
        default_port: policy.other_ports() as u8,
        silent: (policy.refuse == Refuse::Drop).into(),
    }
}

/// Packets and keys on their way to the user's files.
pub(super) struct Takers {
    packets: Option<Packets>,
    keylog: Option<Keylog>,
    recorder: Option<Arc<Recorder>>,
}

impl Takers {
    /// Begins where the session's former worker ended.
    pub(super) fn start(
        extras: &mut HashMap<Extra, OwnedFd>,
        policy: &watch::Receiver<Arc<Policy>>,
        flows: Arc<FlowTable>,
        recorder: Option<Arc<Recorder>>,
    ) -> anyhow::Result<Self> {
        let keylog = extras.remove(&Extra::Keylog).map(|file| Keylog::start(File::from(file))).transpose();
        let keylog = keylog.context("cannot write the key log")?;
        let packets = match (extras.remove(&Extra::Packets), extras.remove(&Extra::Pcap)) {
            (Some(socket), Some(file)) => {
                let about = About {
                    device: link::GATEWAY_LINK,
                    description: "what the session's programs send comes in here, what they get goes out".to_owned(),
                    config: kernel_config(&policy.borrow()),
                    recorded: Box::new(Maps(flows, policy.clone())),
                };
                Some(Packets::start(socket, file.into(), about).context("cannot write the file of packets")?)
            }
            _ => None,
        };
        Ok(Self { packets, keylog, recorder })
    }

    /// This, where there is anything to tell it.
    pub(super) fn secrets(self: &Arc<Self>) -> Option<Arc<dyn Secrets>> {
        let wants = self.packets.is_some() || self.keylog.is_some() || self.recorder.is_some();
        wants.then(|| Arc::clone(self) as Arc<dyn Secrets>)
    }

    /// The session ends, and may be cut: nothing waits from here on.
    pub(super) async fn hurry(&self) {
        if let Some(packets) = &self.packets {
            packets.hurry().await;
        }
    }

    /// Writes what has come and waits for that.
    pub(super) async fn finish(self: Arc<Self>) {
        let finish = move || {
            self.packets.iter().for_each(Packets::finish);
            self.keylog.iter().for_each(Keylog::finish);
        };
        if tokio::task::spawn_blocking(finish).await.is_err() {
            tracing::error!("packets and keys cannot be waited for");
        }
    }
}

impl Secrets for Takers {
    fn secret(&self, side: Side, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = line(label, client_random, secret);
        let name = if side == Side::Downstream { "child" } else { "upstream" };
        if let Some(recorder) = &self.recorder {
            recorder.secret(name, line.clone());
        }
        if let Some(keylog) = &self.keylog {
            keylog.secret(keylog::Secret { side: name, client_random: client_random.to_vec(), line: line.clone() });
        }
        // The packets are those of the child's side.
        if let Some(packets) = &self.packets
            && side == Side::Downstream
        {
            packets.secret(line);
        }
    }
}

/// The kernel's maps.
struct Maps(Arc<FlowTable>, watch::Receiver<Arc<Policy>>);

impl Recorded for Maps {
    fn flow(&self, key: &FlowKey) -> Option<Flow> {
        self.0.flow(key)
    }

    fn process(&self, key: &FlowKey) -> Option<Process> {
        self.0.owner(key)
    }

    fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.1.borrow())
    }
}
