//! Folds the paths of a host into patterns that a person would write.

use std::collections::{BTreeMap, BTreeSet};

/// More patterns than this below one folder become all below it.
const MAX_BELOW: usize = 8;

/// More patterns than this of one host become all paths. More than [`MAX_BELOW`]: this opens the whole host.
const MAX_OF_HOST: usize = 32;

/// Segments of a path that are told apart; what is deeper counts as one.
const MAX_SEGMENTS: usize = 16;

/// A longer segment means one thing only.
const LONGEST_SEGMENT: usize = 100;

/// Hexadecimal digits that are no word.
const HEX: usize = 8;

/// Letters and digits in one piece that are no word.
const TOKEN: usize = 10;

/// A path, segment by segment, each a pattern.
type Segments = Vec<String>;

/// Patterns that fit each of `paths`.
pub(super) fn folded(paths: &BTreeSet<String>) -> BTreeSet<String> {
    let (below, other): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.starts_with('/'));
    let mut all = fold(below.into_iter().map(|path| segments(path)).collect());
    if all.len() > MAX_OF_HOST {
        all = BTreeSet::from([vec!["**".to_owned()]]);
    }
    let is_covered = |path: &&Segments| all.iter().any(|other| other != *path && covers(other, path));
    let needed = all.iter().filter(|path| !is_covered(path)).map(|path| format!("/{}", path.join("/")));
    needed.chain(other.into_iter().map(|path| escaped(path))).collect()
}

/// `text` as a pattern that fits nothing else.
pub(super) fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\') || at == 0 && c == '~' {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

fn segments(path: &str) -> Segments {
    let pattern = |(number, segment): (usize, &str)| match segment {
        _ if number + 1 == MAX_SEGMENTS => "**".to_owned(),
        segment if is_id(segment) => "*".to_owned(),
        segment => escaped(segment),
    };
    path.trim_start_matches('/').splitn(MAX_SEGMENTS, '/').enumerate().map(pattern).collect()
}

/// Folds what is below each first segment.
fn fold(paths: BTreeSet<Segments>) -> BTreeSet<Segments> {
    let mut below: BTreeMap<String, BTreeSet<Segments>> = BTreeMap::new();
    for path in paths {
        if let Some((first, rest)) = path.split_first() {
            below.entry(first.clone()).or_default().insert(rest.to_vec());
        }
    }
    let mut all = BTreeSet::new();
    for (first, mut rests) in below {
        if rests.remove(&Vec::new()) {
            all.insert(vec![first.clone()]);
        }
        let mut rests = fold(rests);
        if rests.len() > MAX_BELOW {
            rests = BTreeSet::from([vec!["**".to_owned()]]);
        }
        all.extend(rests.into_iter().map(|rest| [vec![first.clone()], rest].concat()));
    }
    all
}

/// Whether a pattern fits all that another does.
fn covers(pattern: &[String], other: &[String]) -> bool {
    match (pattern.split_first(), other.split_first()) {
        (None, None) => true,
        (Some((first, _)), Some(_)) if first == "**" => true,
        (Some((first, rest)), Some((found, other))) => {
            (first == found || first == "*" && found != "**") && covers(rest, other)
        }
        _ => false,
    }
}

/// Whether a segment looks like one of many of its kind: a number, a UUID, a hash, a token.
fn is_id(segment: &str) -> bool {
    let is_number = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    let is_hash = segment.len() >= HEX && segment.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number || is_hash || is_uuid(segment) || segment.len() > LONGEST_SEGMENT || has_token(segment)
}

/// RFC 9562 section 4.
fn is_uuid(segment: &str) -> bool {
    let groups = segment.split('-').map(|group| (group.len(), group.bytes().all(|byte| byte.is_ascii_hexdigit())));
    groups.eq([8, 4, 4, 4, 12].map(|length| (length, true)))
}

/// Whether a piece of a segment has letters and digits as no word has them.
fn has_token(segment: &str) -> bool {
    let is_token = |piece: &str| {
        let digits = piece.bytes().filter(u8::is_ascii_digit).count();
        let letters = piece.bytes().filter(u8::is_ascii_alphabetic).count();
        piece.len() >= TOKEN && digits >= 2 && letters >= 2
    };
    segment.split(|c: char| !c.is_ascii_alphanumeric()).any(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_one_of_many_is_told_from_a_word() {
        for (segment, expect) in [
            ("", false),
            ("v1", false),
            ("charges", false),
            ("index.html", false),
            ("feedback", false),
            ("getUserNotificationPreferences", false),
            ("serde-1.0.200.crate", false),
            ("ch_1", false),
            ("7", true),
            ("20240131", true),
            ("deadbee", false),
            ("deadbeef", true),
            ("0188f3a1-7c3e-7bd2-9f10-2b8f3c9d4e5f", true),
            ("0188f3a1-7c3e-7bd2-9f10", false),
            ("ch_3MqZ4e2eZvKYlo2C", true),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0", true),
            ("sha256:e3b0c44298fc1c14", true),
            ("a-very-long-name-of-a-thing-with-many-words", false),
        ] {
            assert_eq!(is_id(segment), expect, "{segment}");
        }
        assert!(is_id(&"a-".repeat(LONGEST_SEGMENT)));
    }

    #[test]
    fn paths_are_folded_into_what_a_person_would_write() {
        let many = |prefix: &str, count: usize| (0..count).map(|n| format!("{prefix}x{n}")).collect::<Vec<_>>();
        let lines = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (paths, expect) in [
            (lines("/ /a /a/"), "/ /a /a/"),
            (lines("/v1/users/1 /v1/users/22/posts /v1/users/me"), "/v1/users/* /v1/users/*/posts"),
            (lines("/v1/users /v1/users/deadbeef01"), "/v1/users /v1/users/*"),
            (many("/a/b/", 8), "/a/b/x0 /a/b/x1 /a/b/x2 /a/b/x3 /a/b/x4 /a/b/x5 /a/b/x6 /a/b/x7"),
            (many("/a/b/", 9), "/a/b/**"),
            ([many("/a/b/", 9), lines("/a/b /a/c")].concat(), "/a/b /a/b/** /a/c"),
            ([many("/a/b/", 9), many("/a/", 9)].concat(), "/a/**"),
            (many("/", 32), &many("/", 32).join(" ")),
            (many("/", 33), "/**"),
            (lines("* /a*b /[x]"), r"/\[x\] /a\*b \*"),
            (vec![format!("{}/end", "/a".repeat(99))], &format!("{}/**", "/a".repeat(15))),
        ] {
            let found = folded(&paths.iter().cloned().collect());
            let expect: BTreeSet<String> = lines(expect).into_iter().collect();
            assert_eq!(found, expect, "{paths:?}");
        }
    }
}
