//! What is taken out of text by what it is: numbers of cards, addresses, keys.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};
use serde::{Deserialize, Serialize};

/// Something that is known by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Secret {
    /// The number of a payment card: 13 to 19 digits whose check digit fits (ISO/IEC 7812).
    Card,
    /// An address of electronic mail.
    Email,
    /// A key of a well-known service, by its prefix.
    ApiKey,
    /// What follows `Bearer` or `Basic`.
    Bearer,
    /// A JSON Web Token.
    Jwt,
    /// A private key in PEM.
    PrivateKey,
    /// A social security number of the United States, with hyphens.
    Ssn,
    /// An international bank account number whose check digits fit (ISO 13616).
    Iban,
    /// An IPv4 address.
    Ip,
    /// A telephone number with its country (E.164).
    Phone,
}

/// An expression and, where the form alone is not enough, what else must hold.
struct Shape {
    expression: Regex,
    holds: fn(&[u8]) -> bool,
}

impl Secret {
    const ALL: [Self; 10] = [
        Self::Card,
        Self::Email,
        Self::ApiKey,
        Self::Bearer,
        Self::Jwt,
        Self::PrivateKey,
        Self::Ssn,
        Self::Iban,
        Self::Ip,
        Self::Phone,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Email => "email",
            Self::ApiKey => "api-key",
            Self::Bearer => "bearer",
            Self::Jwt => "jwt",
            Self::PrivateKey => "private-key",
            Self::Ssn => "ssn",
            Self::Iban => "iban",
            Self::Ip => "ip",
            Self::Phone => "phone",
        }
    }

    const fn expression(self) -> &'static str {
        match self {
            Self::Card => r"(?-u)\b[2-6][0-9](?:[ -]?[0-9]){10,17}\b",
            Self::Email => r"(?-u)\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+\b",
            Self::ApiKey => {
                r"(?-u)\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{36,}|github_pat_\w{22,}|glpat-[\w-]{20,}|[srp]k_(?:live|test)_[0-9A-Za-z]{8,}|whsec_[\w+/=]{16,}|sk-[\w-]{20,}|AIza[\w-]{35}|ya29\.[\w-]{20,}|xox[abeoprs]-[0-9A-Za-z-]{10,}|hf_\w{34,}|npm_\w{36}|pypi-AgE[\w-]{40,}|SG\.[\w-]{16,}\.[\w-]{32,})"
            }
            Self::Bearer => r"(?-u)\b(?i:bearer|basic)[ \t]+[0-9A-Za-z._~+/-]{8,}=*",
            Self::Jwt => r"(?-u)\beyJ[\w-]{8,}\.[\w-]*(?:\.[\w-]*){1,3}",
            Self::PrivateKey => r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[^-]+-----END (?:[A-Z]+ )*PRIVATE KEY-----",
            Self::Ssn => r"(?-u)\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b",
            Self::Iban => r"(?-u)\b[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?\b",
            Self::Ip => r"(?-u)\b(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\b",
            Self::Phone => r"(?-u)\+[1-9](?:[ .()-]{0,2}[0-9]){6,14}\b",
        }
    }

    fn shape(self) -> Option<&'static Shape> {
        static SHAPES: LazyLock<Vec<Option<Shape>>> = LazyLock::new(|| {
            let shape = |secret: &Secret| {
                let holds: fn(&[u8]) -> bool = match secret {
                    Secret::Card => is_card,
                    Secret::Iban => is_iban,
                    _ => |_| true,
                };
                Some(Shape { expression: Regex::new(secret.expression()).ok()?, holds })
            };
            Secret::ALL.iter().map(shape).collect()
        });
        SHAPES.get(self as usize)?.as_ref()
    }

    /// `content` with each of these replaced by its name in brackets.
    #[must_use]
    pub(super) fn redact(self, content: &[u8]) -> Cow<'_, [u8]> {
        let Some(Shape { expression, holds }) = self.shape() else { return Cow::Borrowed(content) };
        expression.replace_all(content, |found: &Captures<'_>| {
            let found = found.get(0).map(|found| found.as_bytes()).unwrap_or_default();
            if holds(found) { format!("[redacted {}]", self.name()).into_bytes() } else { found.to_vec() }
        })
    }
}

/// The check digit of a card's number (ISO/IEC 7812-1 annex B).
fn is_card(text: &[u8]) -> bool {
    let digits = text.iter().rev().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => digit,
            (_, twice) => twice / 10 + twice % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The check digits of an account's number (ISO 13616, ISO 7064 MOD 97-10).
fn is_iban(text: &[u8]) -> bool {
    let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != b' ').collect();
    let Some((head, rest)) = text.split_at_checked(4) else { return false };
    let remainder = rest.iter().chain(head).fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
    });
    remainder == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_found_and_what_only_looks_like_it_is_not() {
        let table = [
            (Secret::Card, "card 4242 4242 4242 4242.", "card [redacted card]."),
            (Secret::Card, "{\"n\":\"4000056655665556\"}", "{\"n\":\"[redacted card]\"}"),
            (Secret::Card, "order 4242424242424241", "order 4242424242424241"),
            (Secret::Card, "id 42424242424242424242424242", "id 42424242424242424242424242"),
            (Secret::Email, "to a.b+c@mail.example, please", "to [redacted email], please"),
            (Secret::Email, "@user a@b", "@user a@b"),
            (Secret::ApiKey, "key sk_live_abcdefgh123", "key [redacted api-key]"),
            (Secret::ApiKey, "sk_livery", "sk_livery"),
            (Secret::Bearer, "authorization: Bearer abcdef123456==", "authorization: [redacted bearer]"),
            (Secret::Jwt, "t=eyJhbGciOiJI.eyJzdWIi.c2ln;", "t=[redacted jwt];"),
            (
                Secret::PrivateKey,
                "a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b",
                "a [redacted private-key] b",
            ),
            (Secret::Ssn, "078-05-1120 0780-51-120", "[redacted ssn] 0780-51-120"),
            (Secret::Iban, "DE89 3704 0044 0532 0130 00", "[redacted iban]"),
            (Secret::Iban, "DE88 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"),
            (Secret::Ip, "from 192.0.2.255 and 999.1.1.1", "from [redacted ip] and 999.1.1.1"),
            (Secret::Phone, "call +49 (30) 123456, 030 123456", "call [redacted phone], 030 123456"),
        ];
        for (secret, text, expect) in table {
            assert_eq!(String::from_utf8_lossy(&secret.redact(text.as_bytes())), expect, "{secret:?}");
        }
        for (number, secret) in Secret::ALL.into_iter().enumerate() {
            assert_eq!(secret as usize, number);
            assert!(secret.shape().is_some(), "{secret:?}");
        }
    }
}
