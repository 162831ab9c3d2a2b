//! What a question may look like: what programs ask when they look for an address, in names that people and machines
//! give to hosts. It knows no other question.

use super::Refusal;
use crate::engine::wire::dns::{CLASS_INTERNET, Question, labels, record_type};

/// Most bytes of a name, as text.
const LONGEST_NAME: usize = 160;
/// A label of this many bytes is not looked into: so long are UUIDs, and SHA-1 in hexadecimal.
const UNSUSPICIOUS_LABEL: usize = 40;
/// Most bits that a byte of a longer label says, by how often each occurs in it. Words and hexadecimal stay below,
/// base32 and base64 do not.
const DENSEST: f64 = 4.2;

/// The types that tell how to reach somebody; no others are asked for.
pub(super) const RECORD_TYPES: [u16; 10] = {
    use record_type::{A, AAAA, CNAME, HTTPS, MX, NS, PTR, SOA, SRV, SVCB};
    [A, NS, CNAME, SOA, PTR, MX, AAAA, SRV, SVCB, HTTPS]
};

/// Judges a question by itself.
pub(super) fn check(question: &Question) -> Result<(), Refusal> {
    if question.class != CLASS_INTERNET {
        return Err(Refusal::Class);
    }
    if !RECORD_TYPES.contains(&question.record_type) {
        return Err(Refusal::RecordType);
    }
    if question.name.len() > LONGEST_NAME {
        return Err(Refusal::NameLength);
    }
    let mut long = labels(&question.labels).filter(|label| label.len() > UNSUSPICIOUS_LABEL);
    if long.any(|label| entropy(label) > DENSEST) { Err(Refusal::LabelEntropy) } else { Ok(()) }
}

/// Shannon's entropy of `bytes`, in bits for each byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total: f64 = counts.into_iter().map(f64::from).sum();
    let shares = counts.into_iter().filter(|count| *count > 0).map(|count| f64::from(count) / total);
    shares.map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_what_a_byte_says() {
        for (bytes, expect) in [(&b""[..], 0.0), (b"aaaa", 0.0), (b"abab", 1.0), (b"abcdefgh", 3.0), (b"aabc", 1.5)] {
            assert!((entropy(bytes) - expect).abs() < 1e-9, "{bytes:?}");
        }
    }
}
