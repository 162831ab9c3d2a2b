//! Whether this kernel takes the programs.

use agent_common::maps::Config;

use super::Error;
use super::dataplane::Dataplane;
use super::layout::layout;

/// Loads the programs, attaches nothing, and lets go of them.
///
/// # Errors
/// What the kernel says against them.
pub fn load() -> Result<(), Error> {
    Dataplane::load(&Config::UNSET, &layout()).map(drop)
}
