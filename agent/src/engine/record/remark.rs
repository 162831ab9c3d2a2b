//! What is said of a packet beside its bytes: who opened its connection, and what the kernel decided about it, which is
//! decided here once more with the same function.

use std::sync::Arc;

use agent_common::decide::{Action, decide};
use agent_common::maps::{Config, Flow, FlowKey, Reason, Verdict};
use agent_common::packet::{Headers, Packet};

use crate::engine::policy::Policy;
use crate::engine::policy::packets::Rules;
use crate::engine::process::Process;

/// What the kernel recorded about connections.
pub trait Recorded {
    /// The connection's entry, if it has one.
    fn flow(&self, key: &FlowKey) -> Option<Flow>;
    /// Who opened the connection, if the kernel saw it.
    fn process(&self, key: &FlowKey) -> Option<Process>;
    /// What the session allows now.
    fn policy(&self) -> Arc<Policy>;
}

/// The remarks about a packet that the child sent.
#[must_use]
pub fn remarks(packet: &impl Packet, config: &Config, recorded: &(impl Recorded + ?Sized)) -> Vec<String> {
    let mut headers = Headers::new(config.ifindex);
    let policy = recorded.policy();
    match decide(packet, config, &Rules(&policy.network), &mut headers) {
        Action::Open(_) => opened(&headers, recorded),
        Action::Continue => Vec::new(),
        Action::Dns => vec![verdict(Verdict::Dns)],
        Action::Answer(reason) | Action::Drop(reason) => vec![refused(reason)],
    }
}

/// A SYN that may pass, if there was room for its flow.
fn opened(headers: &Headers, recorded: &(impl Recorded + ?Sized)) -> Vec<String> {
    match recorded.flow(&headers.key) {
        None => vec![refused(Reason::FlowTableFull)],
        Some(flow) if flow.syn_seq == headers.seq => {
            let process = recorded.process(&headers.key).map(|process| about(&process));
            process.into_iter().chain(Verdict::from_u8(flow.verdict).map(verdict)).collect()
        }
        // Sent on a connection that is in use, or an entry that was made since: about another packet.
        Some(_) => Vec::new(),
    }
}

fn verdict(verdict: Verdict) -> String {
    format!("verdict: {}", verdict.name())
}

fn refused(reason: Reason) -> String {
    format!("refused: {}", reason.name())
}

/// Names are the child's to choose: what is no text on one line is escaped.
fn about(process: &Process) -> String {
    let executable = process.executable.as_deref().map(|path| format!(" {path}")).unwrap_or_default();
    let Process { comm, tgid, uid, .. } = process;
    let text = format!("process: {comm} (pid {tgid}){executable} user {uid}");
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use agent_common::maps::{Config, Flow, FlowKey, PortAction, State, Verdict, address, mac};
    use agent_common::packet::{ACK, Packet, SYN};

    use super::{Arc, Policy, Recorded, about, remarks};
    use crate::engine::policy::Mode;
    use crate::engine::process::Process;

    const CHILD: [u8; 4] = [192, 0, 2, 1];
    const SERVER: [u8; 4] = [198, 51, 100, 1];
    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

    /// A TCP or UDP packet over IPv4, as far as its headers are read.
    struct Frame(Vec<u8>);

    impl Packet for Frame {
        fn load16<const N: usize>(&self, offset: usize) -> Option<[u16; N]> {
            let words = self.0.get(offset..offset + 2 * N)?.as_chunks().0;
            Some(std::array::from_fn(|at| u16::from_ne_bytes(words[at])))
        }

        fn load32<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
            let words = self.0.get(offset..offset + 4 * N)?.as_chunks().0;
            Some(std::array::from_fn(|at| u32::from_ne_bytes(words[at])))
        }

        fn has_vlan_tag(&self) -> bool {
            false
        }
    }

    fn frame(protocol: u8, dst: [u8; 4], port: u16, flags: u8) -> Frame {
        let mut bytes = [&[0; 6], &MAC[..], &[8, 0, 0x45], &[0; 8], &[protocol], &[0; 2], &CHILD, &dst].concat();
        bytes.extend([0x10, 0]);
        bytes.extend(port.to_be_bytes());
        bytes.extend([0, 0, 0, 7, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
        Frame(bytes)
    }

    struct Kernel(Option<Flow>);

    impl Recorded for Kernel {
        fn flow(&self, key: &FlowKey) -> Option<Flow> {
            assert_eq!(key.child_port, 0x1000);
            self.0
        }

        fn process(&self, _: &FlowKey) -> Option<Process> {
            Some(process())
        }

        fn policy(&self) -> Arc<Policy> {
            Arc::new(Policy::new(Mode::Observe))
        }
    }

    fn process() -> Process {
        Process {
            pid: 12,
            tgid: 11,
            executable: Some("/usr/bin/curl".into()),
            comm: "curl".into(),
            uid: 1000,
            user: None,
            cgroup: 1,
            cgroup_path: None,
        }
    }

    fn flow(syn_seq: u32) -> Flow {
        Flow {
            orig_dst: address(SERVER.into()),
            first_ns: 1,
            last_ns: 1,
            bytes_out: 0,
            bytes_in: 0,
            packets_out: 1,
            packets_in: 0,
            syn_seq,
            orig_port: 443,
            verdict: Verdict::Intercept as u8,
            state: State::Open as u8,
            fins: 0,
            pad: 0,
        }
    }

    #[test]
    fn a_packet_is_told_of_as_the_kernel_decided() {
        let config = Config {
            child4: address(CHILD.into()),
            child_mac: mac(MAC),
            default_port: PortAction::Refuse as u8,
            ..Config::UNSET
        };
        let process = "process: curl (pid 11) /usr/bin/curl user 1000";
        for (frame, flow, expect) in [
            (frame(6, SERVER, 443, SYN), Some(flow(7)), &[process, "verdict: intercept"][..]),
            (frame(6, SERVER, 443, SYN), Some(flow(8)), &[]),
            (frame(6, SERVER, 443, SYN), None, &["refused: flow-table-full"]),
            (frame(6, SERVER, 443, ACK), Some(flow(7)), &[]),
            (frame(6, SERVER, 22, SYN), None, &["refused: port"]),
            (frame(6, [169, 254, 169, 254], 80, SYN), None, &["refused: network"]),
            (frame(17, SERVER, 53, 0), None, &["verdict: dns"]),
            (frame(17, SERVER, 443, 0), None, &["refused: udp"]),
            (frame(1, SERVER, 0, 0), None, &["refused: protocol"]),
            (Frame(vec![0; 9]), None, &["refused: malformed"]),
        ] {
            assert_eq!(remarks(&frame, &config, &Kernel(flow)), expect, "{:x?}", frame.0);
        }
    }

    #[test]
    fn a_name_cannot_look_like_another_line() {
        let process = Process { comm: "a\nverdict".into(), executable: None, ..process() };
        assert_eq!(about(&process), "process: a\\nverdict (pid 11) user 1000");
    }
}
