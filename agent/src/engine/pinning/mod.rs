//! Clients that refuse our certificate: told by how they end a connection, remembered by the host that they
//! wanted and the program that they are. It
//! knows no connection and no clock; whether such a host's connections pass unread the policy says.

mod remedy;

use std::collections::{HashMap, VecDeque};

pub use self::remedy::remedy;

/// How many clients are remembered; those learnt first make room.
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

/// A client, as far as clients are told apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// What it wants: a server's name, or an address.
    pub host: String,
    /// What it is: its executable, if that is known.
    pub program: Option<String>,
}

/// The clients that have refused our certificate.
#[derive(Debug, Default)]
pub struct Pinned {
    clients: HashMap<Client, u8>,
    order: VecDeque<Client>,
}

impl Pinned {
    /// Takes note that `client` ended as `sign` says; whether this is the moment at which it is proved.
    pub fn refused(&mut self, client: &Client, sign: Sign) -> bool {
        let weight = match sign {
            Sign::Refused(_) => PROOF,
            Sign::Left(_) => 1,
        };
        let proof = self.entry(client);
        let before = *proof;
        *proof = before.saturating_add(weight).min(PROOF);
        before < PROOF && *proof >= PROOF
    }

    /// Takes note that `client` accepted our certificate: what looked like refusals was not.
    pub fn accepted(&mut self, client: &Client) {
        if self.clients.get(client).is_some_and(|proof| *proof < PROOF) {
            self.clients.remove(client);
            self.order.retain(|known| known != client);
        }
    }

    /// Whether it is proved that `client` refuses our certificate.
    #[must_use]
    pub fn contains(&self, client: &Client) -> bool {
        self.clients.get(client).is_some_and(|proof| *proof >= PROOF)
    }

    fn entry(&mut self, client: &Client) -> &mut u8 {
        if !self.clients.contains_key(client) {
            if self.order.len() >= CAPACITY
                && let Some(oldest) = self.order.pop_front()
            {
                self.clients.remove(&oldest);
            }
            self.order.push_back(client.clone());
        }
        self.clients.entry(client.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALERT: Sign = Sign::Refused("alert unknown_ca");

    fn client(host: &str) -> Client {
        Client { host: host.to_owned(), program: Some("/usr/bin/node".into()) }
    }

    #[test]
    fn programs_are_told_apart() {
        let mut pinned = Pinned::default();
        pinned.refused(&client("a.example"), ALERT);
        for program in [None, Some("/usr/bin/curl".to_owned())] {
            assert!(!pinned.contains(&Client { program, ..client("a.example") }));
        }
    }

    #[test]
    fn an_alert_about_the_certificate_is_proof_and_reported_once() {
        let mut pinned = Pinned::default();
        assert!(pinned.refused(&client("a.example"), ALERT));
        assert!(!pinned.refused(&client("a.example"), ALERT));
        assert!(pinned.contains(&client("a.example")) && !pinned.contains(&client("b.example")));
        pinned.accepted(&client("a.example"));
        assert!(pinned.contains(&client("a.example")));
    }

    #[test]
    fn hanging_up_is_proof_only_twice_in_a_row() {
        let mut pinned = Pinned::default();
        assert!(!pinned.refused(&client("a.example"), Sign::HUNG_UP));
        pinned.accepted(&client("a.example"));
        assert!(!pinned.refused(&client("a.example"), Sign::HUNG_UP));
        assert!(!pinned.contains(&client("a.example")));
        assert!(pinned.refused(&client("a.example"), Sign::HUNG_UP));
        assert!(pinned.contains(&client("a.example")));
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
            assert!(pinned.refused(&client(&format!("{number}.example")), ALERT));
        }
        assert_eq!((pinned.clients.len(), pinned.order.len()), (CAPACITY, CAPACITY));
        assert!(!pinned.contains(&client("0.example")) && pinned.contains(&client(&format!("{CAPACITY}.example"))));
    }
}
