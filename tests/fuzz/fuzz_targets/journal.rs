//! The text of a session's journal: whatever is in it, what is read is what could have been written.

#![no_main]

use agent::sandbox::journal::records;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let read = records(text);
    assert!(read.len() <= text.lines().count());
    let lines = read.iter().map(|record| serde_json::to_string(record).expect("a record") + "\n");
    assert_eq!(records(&lines.collect::<String>()), read);
});
