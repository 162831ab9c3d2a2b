//! The file of settings, and one content for all files that it may name or include: what is wrong has a place in its file.

#![no_main]

use std::path::Path;

use agent::config::document::Mistake;
use agent::config::file::{Around, Error, Wrong, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The text ends with a NUL, which TOML does not have; the rest is whatever file is asked for.
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, named) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Ok(text) = std::str::from_utf8(text) else { return };
    let around = Around {
        file: &|_| Ok(named.to_vec()),
        variable: &|_| Some("value".to_owned()),
        addresses: &|_| Ok(Vec::new()),
    };
    match parse(Path::new("agent.toml"), text, &around) {
        Ok(settings) => assert!(settings.client_certificates.iter().all(|certificate| !certificate.chain.is_empty())),
        Err(Error::Unreadable { .. }) => panic!("nothing was to be read"),
        Err(Error::Wrong(files)) => {
            assert!(!files.is_empty());
            let named = String::from_utf8_lossy(named);
            for Wrong { path, mistakes } in &files {
                let is_own = path == Path::new("agent.toml");
                has_places(mistakes, if is_own { text } else { &named });
            }
        }
    }
});

fn has_places(mistakes: &[Mistake], text: &str) {
    assert!(!mistakes.is_empty());
    for Mistake { line, column, what } in mistakes {
        let longest = text.split('\n').nth(line - 1).expect("a line of the file").chars().count();
        assert!(*column >= 1 && *column <= longest + 1, "{line}:{column}: {what}");
    }
}
