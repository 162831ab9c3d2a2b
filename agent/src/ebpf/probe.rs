//! Whether this kernel takes the programs.

use agent_common::maps::{Config, PortAction};

use super::Error;
use super::dataplane::Dataplane;

/// Loads the programs, attaches nothing, and lets go of them.
///
/// # Errors
/// What the kernel says against them.
pub fn load() -> Result<(), Error> {
    let config = Config {
        child4: [0; 16],
        child6: [0; 16],
        gateway4: [0; 16],
        gateway6: [0; 16],
        ifindex: 0,
        child_mac: [0; 6],
        default_port: PortAction::Refuse as u8,
        pad: 0,
    };
    Dataplane::load(&config).map(drop)
}
