//! One table of frames, decided on the host and by the real program in the kernel: both must do the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use agent_common::decide::{Action, Policy, decide};
use agent_common::maps::{
    self, Address, Config, Count, Counter, Flow, FlowKey, PortAction, Reason, State, TCP, UDP, Verdict,
};
use agent_common::packet::{ACK, FIN, Headers, RST, SYN};
use aya::maps::{Array, HashMap, LpmTrie, PerCpuArray, lpm_trie::Key};
use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};
use aya::{Ebpf, EbpfLoader};
use tests::frames::{CHILD_MAC, Frame, GATEWAY_MAC, V4, ethernet, tcp, udp, v6};
use tests::tools;

const CHILD4: Ipv4Addr = Ipv4Addr::new(10, 200, 1, 2);
const GATEWAY4: Ipv4Addr = Ipv4Addr::new(10, 200, 1, 1);
const SERVER4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const REFUSED4: (Ipv4Addr, u32) = (Ipv4Addr::new(169, 254, 0, 0), 16);
const CHILD6: Ipv6Addr = Ipv6Addr::new(0xfd0a, 0xc801, 0, 0, 0, 0, 0, 2);
const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfd0a, 0xc801, 0, 0, 0, 0, 0, 1);
const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 10);
const REFUSED6: (Ipv6Addr, u32) = (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10);
/// linux/pkt_cls.h.
const TC_ACT_OK: u32 = 0;
const TC_ACT_SHOT: u32 = 2;

struct Case {
    what: &'static str,
    frame: Vec<u8>,
    observe: Action,
    enforce: Action,
}

fn case(what: &'static str, frame: Vec<u8>, action: Action) -> Case {
    Case { what, frame, observe: action, enforce: action }
}

/// TCP segments that are decided alike in both families.
fn segments() -> Vec<Case> {
    use Action::{Answer, Continue, Open};
    let mut cases = Vec::new();
    let table: [(&str, u16, u8, Action); 9] = [
        ("syn to 443", 443, SYN, Open(Verdict::Intercept)),
        ("syn to 80", 80, SYN, Open(Verdict::Intercept)),
        ("syn to 53", 53, SYN, Open(Verdict::Dns)),
        ("syn with ECN", 443, SYN | 0xc0, Open(Verdict::Intercept)),
        ("ack", 443, ACK, Continue),
        ("data on another port", 8443, ACK | 0x08, Continue),
        ("syn and ack", 443, SYN | ACK, Continue),
        ("fin", 443, FIN | ACK, Continue),
        ("rst", 443, RST, Continue),
    ];
    for (what, port, flags, action) in table {
        let segment = tcp(40000, port, 1, flags, b"");
        cases.push(case(what, V4::to(SERVER4, TCP).frame(&segment), action));
        cases.push(case(what, v6(CHILD6, SERVER6, TCP, &segment), action));
    }
    let other = tcp(40000, 8443, 1, SYN, b"");
    for frame in [V4::to(SERVER4, TCP).frame(&other), v6(CHILD6, SERVER6, TCP, &other)] {
        let enforce = Answer(Reason::Port);
        cases.push(Case { what: "syn to another port", frame, observe: Open(Verdict::Relay), enforce });
    }
    cases
}

/// Destinations that are refused whatever the port.
fn destinations() -> Vec<Case> {
    let syn = tcp(40000, 443, 1, SYN, b"");
    let dns = tcp(40000, 53, 1, SYN, b"");
    let (refused4, refused6) = (Ipv4Addr::new(169, 254, 169, 254), Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9));
    vec![
        case("gateway", V4::to(GATEWAY4, TCP).frame(&syn), Action::Answer(Reason::Gateway)),
        case("gateway", v6(CHILD6, GATEWAY6, TCP, &syn), Action::Answer(Reason::Gateway)),
        case("dns of the gateway", V4::to(GATEWAY4, TCP).frame(&dns), Action::Open(Verdict::Dns)),
        case("dns of the gateway", v6(CHILD6, GATEWAY6, TCP, &dns), Action::Open(Verdict::Dns)),
        case("refused network", V4::to(refused4, TCP).frame(&syn), Action::Answer(Reason::Network)),
        case("refused network", v6(CHILD6, refused6, TCP, &syn), Action::Answer(Reason::Network)),
        case(
            "beside the network",
            V4::to(Ipv4Addr::new(169, 253, 0, 1), TCP).frame(&syn),
            Action::Open(Verdict::Intercept),
        ),
    ]
}

fn datagrams() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, port, action) in [
        ("dns", 53, Action::Dns),
        ("quic", 443, Action::Answer(Reason::Udp)),
        ("ntp", 123, Action::Answer(Reason::Udp)),
    ] {
        let datagram = udp(40000, port, b"query");
        for dst in [SERVER4, GATEWAY4] {
            cases.push(case(what, V4::to(dst, UDP).frame(&datagram), action));
        }
        cases.push(case(what, v6(CHILD6, SERVER6, UDP, &datagram), action));
    }
    cases
}

/// What is not plain TCP or UDP over IP.
fn strangers() -> Vec<Case> {
    const ICMP: u8 = 1;
    const ICMPV6: u8 = 58;
    const SCTP: u8 = 132;
    const HOP_BY_HOP: u8 = 0;
    const FRAGMENT: u8 = 44;
    const DESTINATION: u8 = 60;
    let syn = tcp(40000, 443, 1, SYN, b"");
    let plain = V4::to(SERVER4, TCP);
    let drop = |what, frame, reason| case(what, frame, Action::Drop(reason));
    let with_options = V4 { options: vec![0x94, 4, 0, 0], ..plain.clone() };
    let mut cases = vec![
        drop("arp", ethernet(CHILD_MAC, 0x0806, &[0; 28]), Reason::EtherType),
        drop("vlan in the frame", ethernet(CHILD_MAC, 0x8100, &[0, 7, 8, 0]), Reason::EtherType),
        drop("length instead of a type", ethernet(CHILD_MAC, 100, &[0; 46]), Reason::EtherType),
        drop("icmp", V4::to(SERVER4, ICMP).frame(&[8, 0, 0, 0, 0, 1, 0, 1]), Reason::Protocol),
        drop("sctp", V4::to(SERVER4, SCTP).frame(&[0; 12]), Reason::Protocol),
        drop("icmpv6", v6(CHILD6, SERVER6, ICMPV6, &[135, 0, 0, 0]), Reason::Protocol),
        drop("first fragment", V4 { fragment: 0x2000, ..plain.clone() }.frame(&syn), Reason::Fragment),
        drop("later fragment", V4 { fragment: 0x0010, ..plain.clone() }.frame(&syn), Reason::Fragment),
        drop("options", with_options.frame(&syn), Reason::IpOptions),
        drop("spoofed address", V4 { src: Ipv4Addr::new(10, 200, 1, 3), ..plain.clone() }.frame(&syn), Reason::Spoofed),
        drop("spoofed address", v6(SERVER6, SERVER6, TCP, &syn), Reason::Spoofed),
        drop("spoofed hardware address", ethernet(GATEWAY_MAC, 0x0800, &plain.packet(&syn)), Reason::Spoofed),
        drop("ipv6 in an ipv4 frame", ethernet(CHILD_MAC, 0x0800, &[0x60; 60]), Reason::Malformed),
        drop("ipv4 in an ipv6 frame", ethernet(CHILD_MAC, 0x86dd, &[0x45; 60]), Reason::Malformed),
        drop("half a tcp header", plain.frame(&syn[..19]), Reason::Malformed),
        drop("half a udp header", V4::to(SERVER4, UDP).frame(&[0; 7]), Reason::Malformed),
    ];
    for header in [HOP_BY_HOP, FRAGMENT, DESTINATION] {
        let payload = [&[TCP, 0, 0, 0, 0, 0, 0, 0][..], &syn].concat();
        cases.push(drop("extension header", v6(CHILD6, SERVER6, header, &payload), Reason::ExtensionHeader));
    }
    cases
}

fn table() -> Vec<Case> {
    [segments(), destinations(), datagrams(), strangers()].into_iter().flatten().collect()
}

fn config(default_port: PortAction) -> Config {
    Config {
        child4: maps::address(CHILD4.into()),
        child6: maps::address(CHILD6.into()),
        gateway4: maps::address(GATEWAY4.into()),
        gateway6: maps::address(GATEWAY6.into()),
        ifindex: 1000,
        child_mac: maps::mac(CHILD_MAC),
        default_port: default_port as u8,
        ..Config::UNSET
    }
}

const PORTS: [(u16, PortAction); 2] = [(80, PortAction::Intercept), (443, PortAction::Intercept)];

/// The policy of the maps, on the host.
struct HostPolicy;

impl Policy for HostPolicy {
    fn port(&self, port: u16) -> PortAction {
        PORTS.iter().find(|(known, _)| *known == port).map_or(PortAction::Default, |(_, action)| *action)
    }

    fn refuses_network(&self, _family: u8, dst: &Address) -> bool {
        match maps::ip(*dst) {
            IpAddr::V4(v4) => (v4.to_bits() ^ REFUSED4.0.to_bits()) >> (32 - REFUSED4.1) == 0,
            IpAddr::V6(v6) => (v6.to_bits() ^ REFUSED6.0.to_bits()) >> (128 - REFUSED6.1) == 0,
        }
    }
}

/// The real programs, loaded and attached to nothing.
struct Kernel(Ebpf);

impl Kernel {
    fn load(default_port: PortAction) -> Self {
        tools::require();
        let config = config(default_port);
        let mut loader = EbpfLoader::new();
        let loader = loader.btf(None).override_global(maps::CONFIG, &config, true);
        let mut kernel = Self(loader.load(&tools::ebpf_object()).unwrap());
        for name in ["client_in", "client_out"] {
            kernel.program(name).load().unwrap();
        }
        let mut ports = Array::try_from(kernel.0.map_mut(maps::PORT_POLICY).unwrap()).unwrap();
        for (port, action) in PORTS {
            ports.set(u32::from(port), action as u8, 0).unwrap();
        }
        let mut refused4 = LpmTrie::try_from(kernel.0.map_mut(maps::CIDR4).unwrap()).unwrap();
        refused4.insert(&Key::new(REFUSED4.1, REFUSED4.0.octets()), 1_u8, 0).unwrap();
        let mut refused6 = LpmTrie::try_from(kernel.0.map_mut(maps::CIDR6).unwrap()).unwrap();
        refused6.insert(&Key::new(REFUSED6.1, REFUSED6.0.octets()), 1_u8, 0).unwrap();
        kernel
    }

    fn program(&mut self, name: &str) -> &mut SchedClassifier {
        self.0.program_mut(name).unwrap().try_into().unwrap()
    }

    /// Runs a program on a frame and returns what it returned.
    fn run(&mut self, name: &str, frame: &[u8]) -> u32 {
        let options = TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() };
        self.program(name).test_run(options).unwrap().return_value
    }

    /// Packets and bytes of every counter, the reasons first.
    fn counters(&self) -> Vec<(u64, u64)> {
        let counters: PerCpuArray<_, Count> = PerCpuArray::try_from(self.0.map(maps::COUNTERS).unwrap()).unwrap();
        let sum = |index| {
            let per_cpu = counters.get(&index, 0).unwrap();
            per_cpu.iter().fold((0, 0), |(packets, bytes), count| (packets + count.packets, bytes + count.bytes))
        };
        (0..Counter::COUNT).map(sum).collect()
    }

    fn flow(&self, key: &FlowKey) -> Option<Flow> {
        let flows: HashMap<_, FlowKey, Flow> = HashMap::try_from(self.0.map(maps::FLOWS).unwrap()).unwrap();
        flows.get(key, 0).ok()
    }

    fn forget(&mut self) {
        let mut flows: HashMap<_, FlowKey, Flow> = HashMap::try_from(self.0.map_mut(maps::FLOWS).unwrap()).unwrap();
        let keys: Vec<FlowKey> = flows.keys().flatten().collect();
        keys.iter().for_each(|key| flows.remove(key).unwrap());
    }
}

fn key() -> FlowKey {
    FlowKey::tcp((CHILD4, 40000).into(), (SERVER4, 443).into(), 1000)
}

/// The program's verdict and the counters that an action leads to.
fn effects(action: Action, bytes: u64) -> (u32, Vec<(Counter, u64, u64)>) {
    match action {
        Action::Open(_) => (TC_ACT_OK, vec![(Counter::Out, 1, bytes), (Counter::Opened, 1, 0)]),
        Action::Continue | Action::Dns => (TC_ACT_OK, vec![(Counter::Out, 1, bytes)]),
        Action::Answer(reason) => (TC_ACT_OK, vec![(Counter::Refused(reason), 1, bytes)]),
        Action::Drop(reason) => (TC_ACT_SHOT, vec![(Counter::Refused(reason), 1, bytes)]),
    }
}

#[test]
fn the_host_decides_as_the_table_says() {
    for case in table() {
        for (port, expect) in [(PortAction::Relay, case.observe), (PortAction::Refuse, case.enforce)] {
            let config = config(port);
            let mut headers = Headers::new(config.ifindex);
            let action = decide(&Frame(&case.frame), &config, &HostPolicy, &mut headers);
            assert_eq!(action, expect, "{} with {port:?}", case.what);
        }
    }
}

#[test]
fn a_session_that_gives_no_answer_drops_what_it_would_answer_and_nothing_else() {
    let silent = Config { silent: 1, ..config(PortAction::Refuse) };
    for case in table() {
        let expect = match case.enforce {
            Action::Answer(reason) => Action::Drop(reason),
            action => action,
        };
        let action = decide(&Frame(&case.frame), &silent, &HostPolicy, &mut Headers::new(silent.ifindex));
        assert_eq!(action, expect, "{}", case.what);
    }
}

/// BPF_PROG_TEST_RUN does not take frames this short; `blocked` sends some of them.
#[test]
fn a_frame_cut_anywhere_before_its_transport_header_ends_is_malformed() {
    let segment = tcp(40000, 443, 1, SYN, b"");
    for frame in [V4::to(SERVER4, TCP).frame(&segment), v6(CHILD6, SERVER6, TCP, &segment)] {
        for length in 0..frame.len() {
            let mut headers = Headers::new(1000);
            let action = decide(&Frame(&frame[..length]), &config(PortAction::Relay), &HostPolicy, &mut headers);
            assert_eq!(action, Action::Drop(Reason::Malformed), "{length} bytes");
        }
    }
}

#[test]
fn the_kernel_decides_as_the_table_says() {
    for port in [PortAction::Relay, PortAction::Refuse] {
        let mut kernel = Kernel::load(port);
        for case in table() {
            let action = if port == PortAction::Relay { case.observe } else { case.enforce };
            let (verdict, changes) = effects(action, case.frame.len() as u64);
            let mut expect = kernel.counters();
            for (counter, packets, bytes) in changes {
                let entry = &mut expect[counter.index() as usize];
                *entry = (entry.0 + packets, entry.1 + bytes);
            }
            assert_eq!(kernel.run("client_in", &case.frame), verdict, "{} with {port:?}", case.what);
            assert_eq!(kernel.counters(), expect, "{} with {port:?}", case.what);
            kernel.forget();
        }
    }
}

#[test]
fn a_flow_follows_its_packets_in_both_directions() {
    let mut kernel = Kernel::load(PortAction::Refuse);
    let out = |flags, payload: &[u8]| V4::to(SERVER4, TCP).frame(&tcp(40000, 443, 7, flags, payload));
    let back =
        |flags, payload: &[u8]| V4 { src: SERVER4, ..V4::to(CHILD4, TCP) }.frame(&tcp(443, 40000, 9, flags, payload));
    let mut expect = (0, 0, 0, 0);
    let steps = [
        ("client_in", out(SYN, b""), State::Opening),
        // Sent again: the same connection.
        ("client_in", out(SYN, b""), State::Opening),
        ("client_out", back(SYN | ACK, b""), State::Open),
        ("client_in", out(ACK, b"hello"), State::Open),
        ("client_out", back(ACK, b"hello back"), State::Open),
        ("client_out", back(FIN | ACK, b""), State::HalfClosed),
        ("client_in", out(ACK, b"more"), State::HalfClosed),
        ("client_in", out(FIN | ACK, b""), State::Closed),
        ("client_out", back(ACK, b""), State::Closed),
    ];
    for (at, (program, frame, state)) in steps.into_iter().enumerate() {
        assert_eq!(kernel.run(program, &frame), TC_ACT_OK);
        let bytes = frame.len() as u64;
        if program == "client_in" {
            expect = (expect.0 + 1, expect.1 + bytes, expect.2, expect.3);
        } else {
            expect = (expect.0, expect.1, expect.2 + 1, expect.3 + bytes);
        }
        let flow = kernel.flow(&key()).unwrap();
        assert_eq!(flow.state, state as u8, "step {at}");
        assert_eq!((flow.packets_out, flow.bytes_out, flow.packets_in, flow.bytes_in), expect, "step {at}");
        assert_eq!(flow.orig_dst(), (SERVER4, 443).into());
    }
    assert_eq!(kernel.counters()[Counter::Opened.index() as usize].0, 1);
    // The same ports once more are a new connection.
    let again = V4::to(SERVER4, TCP).frame(&tcp(40000, 443, 70_000, SYN, b""));
    kernel.run("client_in", &again);
    let flow = kernel.flow(&key()).unwrap();
    assert_eq!((flow.state, flow.packets_out, flow.packets_in), (State::Opening as u8, 1, 0));
}

#[test]
fn one_connection_more_than_the_table_holds_is_refused() {
    let mut kernel = Kernel::load(PortAction::Relay);
    let syn = V4::to(SERVER4, TCP).frame(&tcp(40000, 443, 1, SYN, b""));
    kernel.run("client_in", &syn);
    let flow = kernel.flow(&key()).unwrap();
    kernel.forget();
    let mut flows: HashMap<_, FlowKey, Flow> = HashMap::try_from(kernel.0.map_mut(maps::FLOWS).unwrap()).unwrap();
    for number in 0..maps::MAX_FLOWS {
        let server = Ipv4Addr::from_bits(number | 0x0b00_0000);
        flows.insert(FlowKey::tcp((CHILD4, 1).into(), (server, 443).into(), 1000), flow, 0).unwrap();
    }
    let before = kernel.counters();
    // Let in, so that the gateway answers with RST.
    assert_eq!(kernel.run("client_in", &syn), TC_ACT_OK);
    let (index, opened) = (Counter::Refused(Reason::FlowTableFull).index() as usize, Counter::Opened.index() as usize);
    assert_eq!(kernel.counters()[index].0, before[index].0 + 1);
    assert_eq!(kernel.counters()[opened], before[opened]);
    assert!(kernel.flow(&key()).is_none());
}
