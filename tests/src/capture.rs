//! An independent count of packets: `programs/capture.py` on a packet socket.

use serde_json::Value;

use crate::lab::PYTHON;
use crate::netns::command_in;
use crate::process::Process;
use crate::tools;

/// A capture that runs.
pub struct Capture(Process);

/// What one connection, or one kind of frame, came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// `in` to this device, or `out` of it.
    pub direction: String,
    /// `tcp`, `udp`, `icmp`, `ether 0x0806`, ...
    pub protocol: String,
    /// Source address and port.
    pub source: String,
    /// Destination address and port.
    pub destination: String,
    /// Packets, segments of a GSO packet one by one.
    pub packets: u64,
    /// Bytes, link layer included.
    pub bytes: u64,
}

impl Capture {
    /// Starts counting on a device of a namespace.
    #[must_use]
    pub fn start(netns: &str, device: &str) -> Self {
        let mut command = command_in(netns, PYTHON);
        Self(Process::spawn_ready(command.arg(tools::program("capture.py")).arg(device)))
    }

    /// Ends it and returns what was counted.
    ///
    /// # Panics
    /// If frames were lost.
    #[must_use]
    pub fn stop(self) -> Vec<Counted> {
        let output = self.0.finish();
        let text = output.ok().lines().last().unwrap();
        let report: Value = serde_json::from_str(text).unwrap();
        assert_eq!(report["lost"], 0, "the capture lost frames");
        report["counted"].as_array().unwrap().iter().map(counted).collect()
    }
}

fn counted(value: &Value) -> Counted {
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    Counted {
        direction: text("direction"),
        protocol: text("protocol"),
        source: text("source"),
        destination: text("destination"),
        packets: value["packets"].as_u64().unwrap(),
        bytes: value["bytes"].as_u64().unwrap(),
    }
}
