//! What a log tells of: its lines, and in each an object after time, level and module.

use serde_json::Value;

/// All of them, in their order.
#[must_use]
pub fn all(log: &str) -> Vec<Value> {
    log.lines().filter_map(|line| serde_json::from_str(line.get(line.find('{')?..)?).ok()).collect()
}

/// Those of one name.
#[must_use]
pub fn of(log: &str, name: &str) -> Vec<Value> {
    all(log).into_iter().filter(|fact| fact["event"] == name).collect()
}
