//! Judges server certificates: after the handshake instead of during it, because a bad certificate is shown to the
//! child instead of ending the connection, and because a resumed session brings no certificate message to judge.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What a server's certificate is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Standing {
    /// It proves who the server is.
    Good,
    /// It comes from a trusted root; its time or its names are wrong, and nothing else.
    Flawed,
    /// No trusted root stands behind it. The server did not show the one that does.
    Rootless,
    /// No trusted root stands behind it, only one that the server showed.
    Untrusted,
    /// Nobody but itself stands behind it.
    SelfSigned,
}

/// What is wrong with a certificate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// In words.
    pub(crate) reason: String,
    /// What it is worth all the same.
    pub(crate) standing: Standing,
}

/// The roots trusted upstream, understood when they are first needed.
pub(crate) struct Roots {
    provider: Arc<CryptoProvider>,
    trusted: Vec<CertificateDer<'static>>,
    verifier: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
}

impl Roots {
    /// Those that are `trusted`, and no others.
    pub(crate) const fn new(provider: Arc<CryptoProvider>, trusted: Vec<CertificateDer<'static>>) -> Self {
        Self { provider, trusted, verifier: OnceLock::new() }
    }

    /// Judges whether `chain`, leaf first, proves that its holder is `name`. A handshake must have proved that the
    /// server holds it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn judge(&self, chain: &[CertificateDer<'_>], name: &ServerName<'_>) -> Result<(), Flaw> {
        let verifier = self.verifier.get_or_init(|| self.load());
        let flaw = |reason: String| Flaw { reason, standing: standing(chain) };
        let verifier = verifier.as_ref().ok_or_else(|| flaw("there are no roots to judge it by".into()))?;
        let (leaf, rest) = chain.split_first().ok_or_else(|| flaw("there is none".into()))?;
        let judge = |now| verifier.verify_server_cert(leaf, rest, name, &[], now).map(drop);
        judge(UnixTime::now()).map_err(|error| {
            // A certificate is only known to have no other defect than its time when it was good at another.
            let is_flawed = is_name(&error) || is_time(&error) && times(leaf).any(|time| is_rooted(judge(time)));
            Flaw { standing: if is_flawed { Standing::Flawed } else { standing(chain) }, reason: error.to_string() }
        })
    }

    fn load(&self) -> Option<Arc<WebPkiServerVerifier>> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.trusted.iter().cloned());
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider));
        builder.build().inspect_err(|error| tracing::warn!(%error, "no root certificates")).ok()
    }
}

fn is_name(error: &rustls::Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

fn is_time(error: &rustls::Error) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(
        error,
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
    )
}

/// Whether the chain leads to a trusted root, whatever the names.
fn is_rooted(judged: Result<(), rustls::Error>) -> bool {
    judged.map_or_else(|error| is_name(&error), |()| true)
}

/// The first and the last moment at which a certificate is valid.
fn times(certificate: &CertificateDer<'_>) -> impl Iterator<Item = UnixTime> {
    let validity = X509Certificate::from_der(certificate).map(|(_, parsed)| parsed.validity().clone());
    let ends = validity.into_iter().flat_map(|validity| [validity.not_before, validity.not_after]);
    let seconds = ends.filter_map(|end| u64::try_from(end.timestamp()).ok());
    seconds.map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

/// What stands behind a chain that leads to no trusted root.
fn standing(chain: &[CertificateDer<'_>]) -> Standing {
    match chain {
        [alone] if is_self_issued(alone) => Standing::SelfSigned,
        [_, .., last] if is_self_issued(last) => Standing::Untrusted,
        _ => Standing::Rootless,
    }
}

fn is_self_issued(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| parsed.issuer() == parsed.subject())
}

/// Accepts every chain, but not a handshake that fails to prove possession of its key.
#[derive(Debug)]
pub(crate) struct Deferred(pub(crate) Arc<CryptoProvider>);

impl ServerCertVerifier for Deferred {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
