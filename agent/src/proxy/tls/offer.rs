//! What a ClientHello offers, read from its bytes without I/O.

use std::io;

use rustls::server::{Accepted, Acceptor, ClientHello};
use rustls::{CipherSuite, NamedGroup, SignatureScheme};

/// The cipher suites of TLS 1.2 with ECDSA that rustls speaks.
const ECDSA_SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// What a ClientHello offers and asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The server's name.
    pub sni: Option<String>,
    /// The protocols, best first.
    pub alpn: Vec<Vec<u8>>,
    /// Only an RSA certificate will do.
    pub needs_rsa: bool,
    /// Post-quantum key exchange is offered.
    pub is_post_quantum: bool,
}

impl Offer {
    /// What a ClientHello says.
    #[must_use]
    pub fn of(accepted: &Accepted) -> Self {
        let hello = accepted.client_hello();
        let alpn = hello.alpn().map(|names| names.map(<[u8]>::to_vec).collect()).unwrap_or_default();
        let groups = hello.named_groups().unwrap_or_default();
        Self {
            sni: hello.server_name().map(str::to_owned),
            alpn,
            needs_rsa: needs_rsa(&hello),
            is_post_quantum: groups.contains(&NamedGroup::X25519MLKEM768),
        }
    }
}

impl Offer {
    /// Leaves HTTP/1.1 alone of the protocols, if it is among them: it is what every server speaks.
    pub fn prefer_http1(&mut self) {
        if self.alpn.iter().any(|alpn| alpn == b"http/1.1") {
            self.alpn.retain(|alpn| alpn == b"http/1.1");
        }
    }
}

/// Why what came is no ClientHello.
#[derive(Debug)]
pub struct Refused {
    /// What is wrong.
    pub error: io::Error,
    /// The alert to send, as a record; may be empty.
    pub alert: Vec<u8>,
}

/// Reads one ClientHello, in however many pieces it comes.
#[derive(Default)]
pub struct Reader(Acceptor);

impl Reader {
    /// Takes from the start of `rest` what belongs to the ClientHello; what it says, once it is complete. Not to be called
    /// after that.
    ///
    /// # Errors
    /// If it is none.
    pub fn feed(&mut self, rest: &mut &[u8]) -> Result<Option<Accepted>, Refused> {
        while !rest.is_empty() {
            self.0.read_tls(rest).map_err(|error| Refused { error, alert: Vec::new() })?;
            match self.0.accept() {
                Ok(None) => {}
                Ok(accepted) => return Ok(accepted),
                Err((error, mut alert)) => {
                    let mut record = Vec::new();
                    let error = io::Error::new(io::ErrorKind::InvalidData, error);
                    let error = alert.write_all(&mut record).err().unwrap_or(error);
                    return Err(Refused { error, alert: record });
                }
            }
        }
        Ok(None)
    }
}

/// Whether the client cannot use our usual leaf, which has a P-256 key: it does not verify such signatures, or, short of
/// TLS 1.3, has no cipher suite or curve for them (RFC 8422 section 5.1).
fn needs_rsa(hello: &ClientHello<'_>) -> bool {
    let is_tls13 = hello.cipher_suites().iter().any(|suite| u16::from(*suite) >> 8 == 0x13);
    let has_suite = || hello.cipher_suites().iter().any(|suite| ECDSA_SUITES.contains(suite));
    let has_curve = || hello.named_groups().is_none_or(|groups| groups.contains(&NamedGroup::secp256r1));
    let verifies = hello.signature_schemes().contains(&SignatureScheme::ECDSA_NISTP256_SHA256);
    !verifies || !(is_tls13 || has_suite() && has_curve())
}
