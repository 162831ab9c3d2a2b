//! `--pcap` and `--keylog`: what tshark reads out of the files is what client and server had, byte for byte.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use tests::{Lab, Tshark};

/// Bytes that are all different from their neighbours, and compress badly.
fn content(bytes: usize) -> Vec<u8> {
    let mut word: u64 = 1;
    let words = std::iter::repeat_with(|| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        word.to_le_bytes()
    });
    words.take(bytes.div_ceil(8)).flatten().take(bytes).collect()
}

#[test]
fn try_it() {
    let lab = Lab::new();
    let file = lab.scratch.file("session.pcapng");
    std::fs::write(format!("{}/content", lab.www("origin.test")), content(3 << 20)).unwrap();
    let upload = lab.scratch.write("upload", content(2 << 20));
    let session = lab.agent().args(&["--pcap", &file]).up();
    for version in ["--http1.1", "--http2"] {
        session.exec(&["curl", "-sSf", version, "-o", "/dev/null", "https://origin.test/content"]).ok();
        session.exec(&["curl", "-sSf", version, "-H", "Expect:", "-T", &upload, &format!("https://origin.test/upload/x{version}")]).ok();
    }
    session.down();
    std::fs::copy(&file, "/tmp/pcap-try.pcapng").unwrap();
    let tshark = Tshark::new(&file, &lab.scratch);
    for (name, body) in tshark.bodies() {
        eprintln!("{name} {}", body.len());
    }
}
