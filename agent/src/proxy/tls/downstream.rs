//! What the child's TLS connections are answered with. What they ask for is read elsewhere.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{KeyLog, ServerConfig};

use super::unusable;
use crate::proxy::error::Error;

/// How many sessions are kept for resumption.
const SESSIONS: usize = 4096;

/// What TLS connections of the child share.
pub(crate) struct Downstream {
    provider: Arc<CryptoProvider>,
    sessions: Arc<dyn StoresServerSessions>,
    key_log: Arc<dyn KeyLog>,
}

impl Downstream {
    /// Connections with sessions that can be resumed.
    pub(crate) fn new(provider: Arc<CryptoProvider>, key_log: Arc<dyn KeyLog>) -> Self {
        Self { provider, sessions: ServerSessionMemoryCache::new(SESSIONS), key_log }
    }

    /// Shows `leaf` and offers `alpn`. A session with a server whose certificate is bad is neither kept nor resumed:
    /// resumption would hide the bad certificate.
    pub(crate) fn config(
        &self,
        leaf: Arc<CertifiedKey>,
        verified: bool,
        alpn: Option<Vec<u8>>,
    ) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(leaf)));
        config.key_log = Arc::clone(&self.key_log);
        config.alpn_protocols = alpn.into_iter().collect();
        config.session_storage =
            if verified { Arc::clone(&self.sessions) } else { Arc::new(NoServerSessionStorage {}) };
        Ok(Arc::new(config))
    }
}
