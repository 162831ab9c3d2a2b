//! The text of a `resolv.conf`.

#![no_main]

use agent::dns::host_resolvers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let resolvers = host_resolvers(text);
    assert!(resolvers.len() <= text.lines().count() && resolvers.iter().all(|resolver| resolver.port() == 53));
});
