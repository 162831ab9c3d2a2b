//! Judges server certificates: after the handshake instead of during it, because a bad certificate is shown to the
//! child instead of ending the connection, and because a resumed session brings no certificate message to judge.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::sync::OnceCell;

/// The roots trusted upstream, read from the system when they are first needed.
pub(crate) struct Roots {
    provider: Arc<CryptoProvider>,
    extra: Vec<CertificateDer<'static>>,
    verifier: OnceCell<Option<Arc<WebPkiServerVerifier>>>,
}

impl Roots {
    /// `extra` and the system's.
    pub(crate) const fn new(provider: Arc<CryptoProvider>, extra: Vec<CertificateDer<'static>>) -> Self {
        Self { provider, extra, verifier: OnceCell::const_new() }
    }

    /// Judges whether `chain`, leaf first, proves that its holder is `name`. A handshake must have proved that the
    /// server holds it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) async fn judge(&self, chain: &[CertificateDer<'_>], name: &ServerName<'_>) -> Result<(), String> {
        let verifier = self.verifier.get_or_init(async || self.load().await).await;
        let verifier = verifier.as_ref().ok_or("there are no roots to judge it by")?;
        let (leaf, rest) = chain.split_first().ok_or("there is none")?;
        let judged = verifier.verify_server_cert(leaf, rest, name, &[], UnixTime::now());
        judged.map(drop).map_err(|error| error.to_string())
    }

    async fn load(&self) -> Option<Arc<WebPkiServerVerifier>> {
        let mut roots = RootCertStore::empty();
        // Files are read off the runtime's threads. If that fails there are no system roots: everything fails closed.
        match tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await {
            Ok(system) => drop(roots.add_parsable_certificates(system.certs)),
            Err(error) => tracing::warn!(%error, "cannot read the system's root certificates"),
        }
        roots.add_parsable_certificates(self.extra.iter().cloned());
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider));
        builder.build().inspect_err(|error| tracing::warn!(%error, "no root certificates")).ok()
    }
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
