//! Leaf certificates by server, made when first asked for and kept while there is room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::KeyPair;
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey};
use tokio::sync::OnceCell;

use crate::proxy::Ca;
use crate::proxy::error::{Error, Kind, Side};
use crate::proxy::tls::authority::{Authority, Leaf};

/// How many leaves are kept; the oldest make room.
const CAPACITY: usize = 1024;

/// What a leaf is made for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    /// The name that the child asked for, or the address it dialled.
    pub(crate) name: ServerName<'static>,
    /// What the server showed.
    pub(crate) certificate: CertificateDer<'static>,
    /// Whether it was found good.
    pub(crate) verified: bool,
}

/// Makes and keeps leaves. All share one key: making a P-256 key for each would buy no security.
pub(crate) struct Leaves {
    trusted: Authority,
    distrusted: Authority,
    pair: KeyPair,
    key: Arc<dyn SigningKey>,
    cache: Mutex<Cache>,
}

type Slot = Arc<OnceCell<Arc<CertifiedKey>>>;

#[derive(Default)]
struct Cache {
    slots: HashMap<Arc<Wanted>, Slot>,
    order: VecDeque<Arc<Wanted>>,
}

impl Leaves {
    /// Leaves signed by `ca`.
    ///
    /// # Errors
    /// [`Kind::Setup`] if the CA cannot be used.
    pub(crate) fn new(ca: &Ca) -> Result<Self, Error> {
        let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(Side::Internal, Kind::Setup, "the key of leaf certificates").because(error)
        };
        let pair = KeyPair::generate().map_err(|error| unusable(error.into()))?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
        Ok(Self {
            trusted: Authority::from_pem(ca)?,
            distrusted: Authority::distrusted()?,
            key: any_ecdsa_type(&der).map_err(|error| unusable(error.into()))?,
            pair,
            cache: Mutex::default(),
        })
    }

    /// The leaf for `wanted`, made by the first who asks; who asks meanwhile waits for it.
    pub(crate) async fn leaf(&self, wanted: Wanted) -> Result<Arc<CertifiedKey>, Error> {
        let wanted = Arc::new(wanted);
        let slot = self.cache.lock().unwrap_or_else(PoisonError::into_inner).slot(&wanted);
        slot.get_or_try_init(async || self.mint(&wanted)).await.cloned()
    }

    fn mint(&self, wanted: &Wanted) -> Result<Arc<CertifiedKey>, Error> {
        let chain = if wanted.verified {
            self.trusted.sign(&Leaf::verified(&wanted.certificate, &wanted.name)?, &self.pair)?
        } else {
            self.distrusted.sign(&Leaf::copied(&wanted.certificate, &wanted.name)?, &self.pair)?
        };
        Ok(Arc::new(CertifiedKey::new(chain, Arc::clone(&self.key))))
    }
}

impl Cache {
    fn slot(&mut self, wanted: &Arc<Wanted>) -> Slot {
        if let Some(slot) = self.slots.get(wanted) {
            return Arc::clone(slot);
        }
        if self.order.len() >= CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.slots.remove(&oldest);
        }
        self.order.push_back(Arc::clone(wanted));
        Arc::clone(self.slots.entry(Arc::clone(wanted)).or_default())
    }
}

#[cfg(test)]
mod tests;
