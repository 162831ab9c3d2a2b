//! Records of the ring buffer: what is short is none, and nothing behind a record changes what it says.

#![no_main]

use agent::ebpf::events::read;
use agent_common::maps::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|record: &[u8]| {
    let event = read(record);
    let whole = record.get(..size_of::<Event>());
    assert_eq!(event, whole.and_then(read));
});
