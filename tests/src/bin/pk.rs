//! temp
#![allow(clippy::all, clippy::print_stdout, clippy::unwrap_used)]
use agent_common::maps::*;
use aya::{
    EbpfLoader,
    programs::{SchedClassifier, TestRun, TestRunOptions},
};
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let mut c = Config::UNSET;
    c.child4 = address([10, 200, 1, 2].into());
    c.gateway4 = address([10, 200, 1, 1].into());
    c.child_mac = mac([2, 0, 0, 0, 0, 2]);
    c.ifindex = 1;
    c.default_port = 2;
    let object = std::fs::read(path).unwrap();
    let mut e = EbpfLoader::new().btf(None).override_global("CONFIG", &c, true).load(&object).unwrap();
    let frame = |flags: u8, out: bool| {
        let mut f = vec![0u8; 66];
        f[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
        f[12] = 8;
        f[14] = 0x45;
        f[23] = 6;
        let (a, b) = ([10, 200, 1, 2], [192, 0, 2, 1]);
        f[26..30].copy_from_slice(if out { &a } else { &b });
        f[30..34].copy_from_slice(if out { &b } else { &a });
        let (p, q) = (5000u16.to_be_bytes(), 443u16.to_be_bytes());
        f[34..36].copy_from_slice(if out { &p } else { &q });
        f[36..38].copy_from_slice(if out { &q } else { &p });
        f[46] = 0x50;
        f[47] = flags;
        f
    };
    for n in ["client_in", "client_out"] {
        let p: &mut SchedClassifier = e.program_mut(n).unwrap().try_into().unwrap();
        p.load().unwrap();
    }
    let mut run = |n: &str, f: &[u8], r: u32| {
        let p: &mut SchedClassifier = e.program_mut(n).unwrap().try_into().unwrap();
        let mut o = TestRunOptions::new();
        o.data_in = Some(f);
        o.repeat = r;
        let r = p.test_run(o).unwrap();
        println!("{n} ret {} {:?}", r.return_value, r.duration);
    };
    run("client_in", &frame(2, true), 1);
    for _ in 0..3 {
        run("client_in", &frame(0x10, true), 1000000);
        run("client_out", &frame(0x10, false), 1000000);
    }
    let mut udp = frame(0, true);
    udp[23] = 17;
    run("client_in", &udp, 1000000);
    let mut arp = frame(0, true);
    arp[12] = 9;
    run("client_in", &arp, 1000000);
}
