//! Tests of masking.

use std::sync::LazyLock;

use super::*;
use crate::engine::dice::Dice;

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

fn masks() -> &'static Masks {
    static MASKS: LazyLock<Masks> = LazyLock::new(|| Masks::new(&["pin".to_owned(), "x.y".to_owned()]).unwrap());
    &MASKS
}

/// Keys made up in the known shapes; in halves, so that nobody takes them for real ones.
fn keys() -> Vec<String> {
    let long = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v2W3x4Y5z6";
    let of = |prefix: &str, length: usize| format!("{prefix}{}", &long[..length]);
    vec![
        "AKIA".to_owned() + "ABCDEFGHIJKLMNOP",
        of("ghp_", 36),
        of("gho_", 36),
        of("github_pat_", 40),
        of("glpat-", 20),
        of("sk_live_", 24),
        of("rk_test_", 24),
        of("whsec_", 32),
        of("sk-", 48),
        of("sk-proj-", 48),
        of("sk-ant-api03-", 48),
        of("AIza", 35),
        of("ya29.", 30),
        of("GOCSPX-", 28),
        of("xoxb-", 24),
        of("hf_", 34),
        of("npm_", 36),
        of("pypi-AgE", 48),
        format!("SG.{}.{}", &long[..22], &long[..43]),
        JWT.to_owned(),
    ]
}

fn text(text: &str) -> String {
    let mut masked = text.as_bytes().to_vec();
    masks().text(&mut masked);
    String::from_utf8(masked).unwrap()
}

#[test]
fn keys_are_known_by_their_shape_wherever_they_are() {
    for key in keys() {
        for (before, after) in [("", ""), ("\"", "\","), ("a ", " b"), ("key=", "&x"), ("ü:", "\n")] {
            let expect = format!("{before}{}{after}", "*".repeat(key.len()));
            assert_eq!(text(&format!("{before}{key}{after}")), expect, "{key}");
        }
    }
}

#[test]
fn what_only_looks_like_a_key_stays() {
    for plain in [
        "risk-assessment-of-everything-there-is",
        "AKIAABCDEFGHIJKLMNOPQ",
        "ghp_short",
        "the bearer of this letter",
        "https://a.example:8080/b@c",
        "mailto:a@b.example",
        "{\"token\":\"Hello\",\"tokens\":5}",
        "eyJhbGciOiJIUzI1NiJ9",
        "{\"pinned\":\"1234\",\"xzy\":\"a\"}",
        "a pin=5",
    ] {
        assert_eq!(text(plain), plain);
    }
}

/// Numbers that issuers give for tests, and numbers that are none of theirs.
#[test]
fn card_numbers_are_checked() {
    for (number, expect) in [
        ("4111111111111111", true),
        ("4111 1111 1111 1111", true),
        ("4111-1111-1111-1111", true),
        ("5555555555554444", true),
        ("378282246310005", true),
        ("6011111111111117", true),
        ("3530111333300000", true),
        ("30569309025904", true),
        ("4111111111111112", false),
        ("0.4111111111111111", false),
        ("4111111111111111.5", false),
        ("41111111111111114", false),
        ("1700000000000", false),
        ("a4111111111111111", false),
    ] {
        let masked = text(number);
        assert_eq!(masked, if expect { "*".repeat(number.len()) } else { number.to_owned() });
    }
}

#[test]
fn values_are_known_by_their_names() {
    for (plain, expect) in [
        (r#"{"password":"abc"}"#, r#"{"password":"***"}"#),
        (r#"{"Password" : "a\"b\\", "a":"b"}"#, r#"{"Password" : "******", "a":"b"}"#),
        (r#"{"pin":1234,"pin":-1.5e3,"pin":true,"pin":null}"#, r#"{"pin":****,"pin":******,"pin":****,"pin":null}"#),
        (r#"{"x.y":"a","xzy":"a"}"#, r#"{"x.y":"*","xzy":"a"}"#),
        (r#"{"a":"{\"pin\":\"ab\\\"c\",\"b\":\"c\"}"}"#, r#"{"a":"{\"pin\":\"*******\",\"b\":\"c\"}"}"#),
        (r#"{"a":"{\"pin\":12}"}"#, r#"{"a":"{\"pin\":**}"}"#),
        (r#""{\"a\":\"{\\\"pin\\\":\\\"abc\\\"}\"}""#, r#""{\"a\":\"{\\\"pin\\\":\\\"***\\\"}\"}""#),
        (r#"{"password":"cut of"#, r#"{"password":"******"#),
        (r#"{"password":"","a":"b"}"#, r#"{"password":"","a":"b"}"#),
        (r#"{"password":"ü"}"#, r#"{"password":"**"}"#),
        ("password=a%20b&user=c&code=d", "password=*****&user=c&code=*"),
        ("grant_type=a&client_secret=b", "grant_type=a&client_secret=*"),
        ("<a:SecretAccessKey x='y'>abc</a:SecretAccessKey>", "<a:SecretAccessKey x='y'>***</a:SecretAccessKey>"),
        ("see https://a.example/?sig=abc now", "see https://a.example/?sig=*** now"),
        ("see https://a:b@c.example/", "see https://***@c.example/"),
        ("-H 'Authorization: Bearer abcdefghijklmnop=='", "-H 'Authorization: Bearer ******************'"),
        ("-----BEGIN RSA PRIVATE KEY-----\nab\n-----END", "-----BEGIN RSA PRIVATE KEY-----****-----END"),
    ] {
        assert_eq!(text(plain), expect);
    }
}

#[test]
fn fields_keep_their_scheme_and_the_names_of_cookies() {
    let key = &keys()[0];
    for (name, value, expect) in [
        ("Authorization", "Bearer abc.def", "Bearer *******"),
        ("authorization", "abc", "***"),
        ("Proxy-Authorization", "Basic YTpi", "Basic ****"),
        ("Cookie", "a=bc; d=e; f; g=h=i", "a=**; d=*; *; g=***"),
        ("Set-Cookie", "a=bc; Path=/; Secure", "a=**; Path=/; Secure"),
        ("X-API-Key", "abc", "***"),
        ("x-goog-api-key", "abc", "***"),
        ("X-Amz-Security-Token", "abc", "***"),
        ("X-CSRF-Token", "abc", "***"),
        ("X-XSRF-TOKEN", "abc", "***"),
        ("api-key", "abc", "***"),
        ("Private-Token", "abc", "***"),
        ("Referer", "https://a.example/?code=abc&d=e", "https://a.example/?code=***&d=e"),
        (":path", "/a?token=b#access_token=c", "/a?token=*#access_token=*"),
        ("X-RateLimit-Remaining-Tokens", "100", "100"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Accept", "text/html", "text/html"),
        ("X-Other", key, &"*".repeat(key.len())),
    ] {
        let mut fields = [Field::new(name, value.to_owned())];
        masks().fields(&mut fields);
        assert_eq!(fields[0].text(), Some(expect), "{name}");
    }
}

#[test]
fn urls_lose_their_credentials() {
    for (url, expect) in [
        ("https://a.example/b?c=d", "https://a.example/b?c=d"),
        ("https://user:pass@a.example/", "https://*********@a.example/"),
        ("https://token@a.example/?x=@", "https://*****@a.example/?x=@"),
        ("https://a.example/?api_key=ä&KEY=b&keys=c&key", "https://a.example/?api_key=**&KEY=*&keys=c&key"),
        ("/cb#access_token=a&state=b", "/cb#access_token=*&state=b"),
        ("https://a.example/?X-Amz-Signature=ab&X-Amz-Date=c", "https://a.example/?X-Amz-Signature=**&X-Amz-Date=c"),
        ("/a?pin=1&u=https://b:c@d.example/", "/a?pin=*&u=https://***@d.example/"),
    ] {
        assert_eq!(masks().url(url), expect);
    }
}

#[test]
fn names_that_no_field_has_are_refused() {
    for name in ["", "a\"b", "a\\b", "a\nb", &"a".repeat(LONGEST_NAME + 1)] {
        assert!(matches!(Masks::new(&[name.to_owned()]), Err(Unusable::Name(_))), "{name:?}");
    }
    let many: Vec<String> = (0..100_000).map(|number| format!("name-{number}")).collect();
    assert!(matches!(Masks::new(&many), Err(Unusable::TooMany(_))));
}

#[test]
fn a_secret_is_covered_whatever_is_around_it() {
    let (masks, keys, mut dice) = (masks(), keys(), Dice(5));
    for _ in 0..2000 {
        let key = keys[dice.below(keys.len())].as_bytes();
        let noise = |dice: &mut Dice| {
            let mut noise = dice.bytes(60);
            // A letter or digit next to a key makes it another word.
            noise.push(b'"');
            noise
        };
        let (before, mut after) = (noise(&mut dice), noise(&mut dice));
        after.reverse();
        let mut text = [&before, key, &after].concat();
        let length = text.len();
        masks.text(&mut text);
        assert_eq!(text.len(), length);
        assert!(text[before.len()..][..key.len()].iter().all(|&byte| byte == COVER), "{}", text.escape_ascii());
    }
}

/// Masks `text` as it comes in pieces.
fn in_pieces(text: &[u8], dice: &mut Dice) -> Vec<u8> {
    let (mut masked, mut held, mut rest) = (Vec::new(), Vec::new(), text);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(1 + dice.below(5000)));
        held.extend_from_slice(piece);
        let settled = masks().settle(&mut held);
        assert!(held.len() - settled <= MAX_HELD);
        masked.extend(held.drain(..settled));
        rest = after;
    }
    masks().text(&mut held);
    masked.extend(held);
    masked
}

#[test]
fn a_secret_is_covered_however_a_text_comes() {
    let mut dice = Dice(17);
    let mut secrets = keys();
    secrets.push("4111-1111-1111-1111".to_owned());
    secrets.extend([10, 1000, 7000].map(|length| format!("\"pin\": \"{}\"", "a b".repeat(length / 3))));
    for _ in 0..20 {
        let mut text = Vec::new();
        for _ in 0..30 {
            text.extend(std::iter::repeat_n(b"a {:0,\n"[dice.below(7)], dice.below(3000)));
            text.extend([b"\n\"", secrets[dice.below(secrets.len())].as_bytes(), b"\"\n"].concat());
        }
        let mut whole = text.clone();
        masks().text(&mut whole);
        assert!(in_pieces(&text, &mut dice) == whole);
    }
    // Too long to be held: it is covered as far as it was seen, and what follows it is masked again.
    let long = format!("\"pin\":\"{}\" {}", "a".repeat(3 * MAX_HELD), keys()[0]);
    let masked = in_pieces(long.as_bytes(), &mut dice);
    assert_eq!((masked.len(), masked.ends_with(&[COVER; 20])), (long.len(), true));
}
