//! Clients that refuse our certificate: told by how they end a connection, remembered by the host that they wanted. It
//! knows no connection and no clock; whether such a host's connections pass unread the policy says.

mod remedy;

use std::collections::{HashMap, VecDeque};

pub use self::remedy::remedy;

/// How many hosts are remembered; those learnt first make room.
const CAPACITY: usize = 1024;
/// Hanging up proves nothing once: this many times in a row it does.
const PROOF: u8 = 2;

/// How a client ended a connection after it was shown our certificate and before it sent anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It said that it does not accept the certificate. One is proof.
    Refused(&'static str),
    /// It ended the handshake or the connection for a reason that may be the certificate. Several in a row are proof.
    Left(&'static str),
}

impl Sign {
    /// It closed or reset the connection without a word.
    pub const HUNG_UP: Self = Self::Left("hung up");

    /// What a fatal alert means (RFC 8446 section 6.2), or `None` if it has nothing to do with certificates.
    #[must_use]
    pub const fn of_alert(code: u8) -> Option<Self> {
        Some(match code {
            42 => Self::Refused("alert bad_certificate"),
            43 => Self::Refused("alert unsupported_certificate"),
            44 => Self::Refused("alert certificate_revoked"),
            45 => Self::Refused("alert certificate_expired"),
            46 => Self::Refused("alert certificate_unknown"),
            48 => Self::Refused("alert unknown_ca"),
            113 => Self::Refused("alert bad_certificate_status_response"),
            40 => Self::Left("alert handshake_failure"),
            49 => Self::Left("alert access_denied"),
            // Also what an authority of the same name and another key is called.
            51 => Self::Left("alert decrypt_error"),
            80 => Self::Left("alert internal_error"),
            90 => Self::Left("alert user_canceled"),
            _ => return None,
        })
    }

    /// The words that events use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused(how) | Self::Left(how) => how,
        }
    }
}

/// The hosts for which clients have refused our certificate.
#[derive(Debug, Default)]
pub struct Pinned {
    hosts: HashMap<String, u8>,
    order: VecDeque<String>,
}

impl Pinned {
    /// Takes note that a client of `host` ended as `sign` says; whether this is the moment at which it is proved.
    pub fn refused(&mut self, host: &str, sign: Sign) -> bool {
        let weight = match sign {
            Sign::Refused(_) => PROOF,
            Sign::Left(_) => 1,
        };
        let proof = self.entry(host);
        let before = *proof;
        *proof = before.saturating_add(weight).min(PROOF);
        before < PROOF && *proof >= PROOF
    }

    /// Takes note that a client of `host` accepted our certificate: what looked like refusals was not.
    pub fn accepted(&mut self, host: &str) {
        if self.hosts.get(host).is_some_and(|proof| *proof < PROOF) {
            self.hosts.remove(host);
            self.order.retain(|known| known != host);
        }
    }

    /// Whether it is proved that a client of `host` refuses our certificate.
    #[must_use]
    pub fn contains(&self, host: &str) -> bool {
        self.hosts.get(host).is_some_and(|proof| *proof >= PROOF)
    }

    fn entry(&mut self, host: &str) -> &mut u8 {
        if !self.hosts.contains_key(host) {
            if self.order.len() >= CAPACITY
                && let Some(oldest) = self.order.pop_front()
            {
                self.hosts.remove(&oldest);
            }
            self.order.push_back(host.to_owned());
        }
        self.hosts.entry(host.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALERT: Sign = Sign::Refused("alert unknown_ca");

    #[test]
    fn an_alert_about_the_certificate_is_proof_and_reported_once() {
        let mut pinned = Pinned::default();
        assert!(pinned.refused("a.example", ALERT));
        assert!(!pinned.refused("a.example", ALERT));
        assert!(pinned.contains("a.example") && !pinned.contains("b.example"));
        pinned.accepted("a.example");
        assert!(pinned.contains("a.example"), "another client's acceptance does not unpin");
    }

    #[test]
    fn hanging_up_is_proof_only_twice_in_a_row() {
        let mut pinned = Pinned::default();
        assert!(!pinned.refused("a.example", Sign::HUNG_UP));
        pinned.accepted("a.example");
        assert!(!pinned.refused("a.example", Sign::HUNG_UP));
        assert!(!pinned.contains("a.example"));
        assert!(pinned.refused("a.example", Sign::HUNG_UP));
        assert!(pinned.contains("a.example"));
    }

    #[test]
    fn alerts_are_weighed_by_what_they_say() {
        for code in [42, 43, 44, 45, 46, 48, 113] {
            assert!(matches!(Sign::of_alert(code), Some(Sign::Refused(_))), "{code}");
        }
        for code in [40, 49, 51, 80, 90] {
            assert!(matches!(Sign::of_alert(code), Some(Sign::Left(_))), "{code}");
        }
        for code in [0, 10, 20, 47, 50, 70, 71, 86, 109, 112, 116, 120] {
            assert_eq!(Sign::of_alert(code), None, "{code}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut pinned = Pinned::default();
        for number in 0..=CAPACITY {
            assert!(pinned.refused(&format!("{number}.example"), ALERT));
        }
        assert_eq!((pinned.hosts.len(), pinned.order.len()), (CAPACITY, CAPACITY));
        assert!(!pinned.contains("0.example") && pinned.contains(&format!("{CAPACITY}.example")));
    }
}
