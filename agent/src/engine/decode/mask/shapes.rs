//! Keys that are known by their shape, wherever they are.

use std::ops::Range;

use regex::bytes::Regex;

use super::Secret;

/// What is a key as a whole.
const KEYS: [&str; 17] = [
    // AWS: access key identifiers.
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b",
    // GitHub and GitLab.
    r"gh[pousr]_[0-9A-Za-z]{36,}",
    r"github_pat_[0-9A-Za-z_]{22,}",
    r"glpat-[0-9A-Za-z_-]{20,}",
    // Stripe.
    r"[srp]k_(?:live|test)_[0-9A-Za-z]{16,}",
    r"whsec_[0-9A-Za-z+/=]{24,}",
    // OpenAI, Anthropic and those who have taken their form.
    r"sk-[0-9A-Za-z_-]{20,}",
    // Google: API keys, access tokens, client secrets.
    r"AIza[0-9A-Za-z_-]{35}",
    r"ya29\.[0-9A-Za-z_-]{20,}",
    r"GOCSPX-[0-9A-Za-z_-]{28}",
    // Slack.
    r"xox[abeoprs]-[0-9A-Za-z-]{10,}",
    // Hugging Face, npm, PyPI, SendGrid.
    r"hf_[0-9A-Za-z]{34,}",
    r"npm_[0-9A-Za-z]{36}",
    r"pypi-AgE[0-9A-Za-z_-]{40,}",
    r"SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{32,}",
    // JWT, signed (three parts) or encrypted (five; RFC 7516).
    r"eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*(?:\.[0-9A-Za-z_-]*){1,3}",
    // DigitalOcean.
    r"do[opr]_v1_[0-9a-f]{64}",
];

/// What introduces a secret, which is the group.
const INTRODUCED: [&str; 3] = [
    r"(?i:bearer|basic)[ \t]+([0-9A-Za-z._~+/-]{16,}=*)",
    r"://([^/\s@<>\x22'?#]+)@",
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----([^-]+)",
];

/// A number that may be a payment card's, with a space or a hyphen between its digits or without.
const CARD: &str = r"\b[2-6][0-9](?:[ -]?[0-9]){10,17}\b";

/// Finds keys.
pub(super) struct Shapes {
    keys: Regex,
    introduced: Regex,
    card: Regex,
}

impl Shapes {
    pub(super) fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            keys: Regex::new(&format!(r"(?-u)\b(?:{})", KEYS.join("|")))?,
            introduced: Regex::new(&format!("(?-u){}", INTRODUCED.join("|")))?,
            card: Regex::new(&format!("(?-u){CARD}"))?,
        })
    }

    /// Where in `text` a key is.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Secret> {
        let whole = |range: Range<usize>| Secret { start: range.start, value: range };
        let keys = self.keys.find_iter(text).map(|key| whole(key.range()));
        let introduced = self.introduced.captures_iter(text).filter_map(|found| Secret::of(&found));
        let numbers = self.card.find_iter(text).map(|number| number.range());
        let cards = numbers.filter(|number| is_card(text, number)).map(whole);
        keys.chain(introduced).chain(cards).collect()
    }
}

/// Whether the digits in `range` are the number of a card: an issuer's, of its length, with the right check digit
/// (ISO/IEC 7812-1), and no part of a number with a fraction.
fn is_card(text: &[u8], range: &Range<usize>) -> bool {
    let digits: Vec<u8> =
        text[range.clone()].iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect();
    let before = range.start.checked_sub(1).and_then(|at| text.get(at));
    let after = [text.get(range.end), text.get(range.end + 1)];
    let is_fraction = before == Some(&b'.') || matches!(after, [Some(b'.'), Some(b'0'..=b'9')]);
    !is_fraction && is_issued(&digits) && is_checked(&digits)
}

fn is_issued(digits: &[u8]) -> bool {
    let start = digits.iter().take(4).fold(0, |start, &digit| start * 10 + u32::from(digit));
    matches!(
        (start, digits.len()),
        (4000..=4999, 13 | 16 | 19)
            | (5100..=5599 | 2221..=2720, 16)
            | (3400..=3499 | 3700..=3799, 15)
            | (3000..=3059 | 3600..=3699 | 3800..=3999, 14)
            | (3528..=3589 | 6011 | 6200..=6299 | 6440..=6599, 16..=19)
            | (5000..=5099 | 5600..=5899 | 6300..=6399 | 6700..=6799, 12..=19)
    )
}

/// The formula of Luhn.
fn is_checked(digits: &[u8]) -> bool {
    let doubled = digits.iter().rev().enumerate().map(|(at, &digit)| match (at % 2, u32::from(digit)) {
        (1, digit @ 5..) => digit * 2 - 9,
        (1, digit) => digit * 2,
        (_, digit) => digit,
    });
    doubled.sum::<u32>().is_multiple_of(10)
}
