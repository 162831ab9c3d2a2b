//! The file of settings, and one file that it may name: what is wrong has a place in the file.

#![no_main]

use std::path::Path;

use agent::config::document::Mistake;
use agent::config::file::{Around, Error, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The text ends with a NUL, which TOML does not have; the rest is whatever file is asked for.
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, named) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Ok(text) = std::str::from_utf8(text) else { return };
    let around = Around { file: &|_| Ok(named.to_vec()), variable: &|_| Some("secret".into()) };
    match parse(Path::new("agent.toml"), text, &around) {
        Ok(settings) => assert!(settings.client_certificates.iter().all(|certificate| !certificate.chain.is_empty())),
        Err(Error::Unreadable { .. }) => panic!("nothing was to be read"),
        Err(Error::Wrong { mistakes, .. }) => {
            assert!(!mistakes.is_empty());
            for Mistake { line, column, what } in mistakes {
                let longest = text.split('\n').nth(line - 1).expect("a line of the file").chars().count();
                assert!(column >= 1 && column <= longest + 1, "{line}:{column}: {what}");
            }
        }
    }
});
