//! Patterns that name hosts, and hosts: a pattern is what it is written as, and means one host or what is below it.

#![no_main]

use agent::engine::policy::host::HostPattern;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (pattern, host) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(parsed) = pattern.parse::<HostPattern>() else { return };
    assert_eq!(parsed.to_string().parse(), Ok(parsed.clone()));
    let lower = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let expected = match pattern.to_ascii_lowercase().strip_prefix("*.") {
        Some(domain) => lower.strip_suffix(domain).is_some_and(|below| below.len() > 1 && below.ends_with('.')),
        None => lower == pattern.to_ascii_lowercase(),
    };
    assert_eq!(parsed.matches(host), expected, "{pattern} {host}");
});
