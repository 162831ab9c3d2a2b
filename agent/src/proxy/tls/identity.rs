//! What servers that ask for a client's certificate are shown: a configured one, or none, and whether they asked.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::engine::policy::host::HostPattern;
use crate::proxy::ClientCertificate;
use crate::proxy::error::{Error, Kind, Side};

tokio::task_local! {
    /// Whether the server of the handshake under way asked, and was shown a certificate. rustls resumes a session only
    /// with the very same resolver, so there cannot be one for each connection to remember it.
    static ASKED: Cell<Option<bool>>;
}

/// Runs a handshake; says besides whether the server asked for a certificate, and if so whether it was shown one.
pub(crate) async fn observed<T>(handshake: impl Future<Output = T>) -> (T, Option<bool>) {
    ASKED.scope(Cell::new(None), async { (handshake.await, ASKED.with(Cell::get)) }).await
}

/// All identities of a session.
pub(crate) struct Identities {
    configured: Vec<(HostPattern, Arc<Identity>)>,
    nobody: Arc<Identity>,
}

impl Identities {
    /// # Errors
    /// [`Kind::Setup`] if a certificate or key cannot be used.
    pub(crate) fn new(certificates: Vec<ClientCertificate>, provider: &CryptoProvider) -> Result<Self, Error> {
        let configured = certificates.into_iter().map(|certificate| Identity::new(certificate, provider));
        Ok(Self { configured: configured.collect::<Result<_, _>>()?, nobody: Arc::new(Identity(None)) })
    }

    /// The identity that `host` is shown.
    pub(crate) fn of(&self, host: &str) -> Arc<Identity> {
        let mut configured = self.configured.iter();
        let found = configured.find(|(pattern, _)| pattern.matches(host));
        Arc::clone(found.map_or(&self.nobody, |(_, identity)| identity))
    }
}

/// A client certificate with its key, or none.
pub(crate) struct Identity(Option<Arc<CertifiedKey>>);

impl Identity {
    fn new(certificate: ClientCertificate, provider: &CryptoProvider) -> Result<(HostPattern, Arc<Self>), Error> {
        let unusable = || Error::new(Side::Internal, Kind::Setup, "a client certificate");
        let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes());
        let key = key.map_err(|error| unusable().because(error))?;
        let chain = certificate.chain.into_iter().map(CertificateDer::from).collect();
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| unusable().because(error))?;
        Ok((certificate.host, Arc::new(Self(Some(Arc::new(certified))))))
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let usable = self.0.as_ref().filter(|certified| certified.key.choose_scheme(schemes).is_some());
        if let Err(error) = ASKED.try_with(|asked| asked.set(Some(usable.is_some()))) {
            tracing::debug!(%error, "nobody observes this handshake");
        }
        usable.cloned()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

/// Says nothing of the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("has_certs", &self.has_certs()).finish()
    }
}
