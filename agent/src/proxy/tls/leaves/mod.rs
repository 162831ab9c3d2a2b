//! Leaf certificates by server, made when first asked for and kept while there is room.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use crate::proxy::Ca;
use crate::proxy::error::{Error, Kind, Side};
use crate::proxy::tls::authority::{Authority, Day, Leaf};
use crate::proxy::tls::verify::Standing;

/// How many leaves are kept; the oldest make room.
const CAPACITY: usize = 1024;

/// What a leaf is made for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    /// The name that the child asked for, or the address it dialled.
    pub(crate) name: ServerName<'static>,
    /// What the server showed.
    pub(crate) certificate: CertificateDer<'static>,
    /// What that is worth.
    pub(crate) standing: Standing,
    /// Whether the child can use no other key than RSA.
    pub(crate) needs_rsa: bool,
    /// When: another day gets another leaf, whether the session lasts so long or the clock has jumped.
    pub(crate) day: Day,
}

/// Makes and keeps leaves. All share one key, or one for each kind: making a key for each would buy no security.
pub(crate) struct Leaves {
    trusted: Authority,
    distrusted: Authority,
    ecdsa: Key,
    /// Made when a child first needs it.
    rsa: OnceCell<Key>,
    cache: Mutex<Cache>,
}

/// A key, for rcgen and for rustls.
struct Key {
    pair: KeyPair,
    signing: Arc<dyn SigningKey>,
}

impl Key {
    fn new(pair: Result<KeyPair, rcgen::Error>) -> Result<Self, Error> {
        let pair = pair.map_err(|error| unusable().because(error))?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
        let signing = any_supported_type(&der).map_err(|error| unusable().because(error))?;
        Ok(Self { pair, signing })
    }
}

fn unusable() -> Error {
    Error::new(Side::Internal, Kind::Setup, "the key of leaf certificates")
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
        Ok(Self {
            trusted: Authority::from_pem(ca)?,
            distrusted: Authority::distrusted()?,
            ecdsa: Key::new(KeyPair::generate())?,
            rsa: OnceCell::new(),
            cache: Mutex::default(),
        })
    }

    /// The leaf for `wanted`, made by the first who asks; who asks meanwhile waits for it.
    pub(crate) async fn leaf(&self, wanted: Wanted) -> Result<Arc<CertifiedKey>, Error> {
        let wanted = Arc::new(wanted);
        let slot = self.cache.lock().unwrap_or_else(PoisonError::into_inner).slot(&wanted);
        let make = async || self.mint(&wanted, self.key(wanted.needs_rsa).await?);
        slot.get_or_try_init(make).await.cloned()
    }

    async fn key(&self, needs_rsa: bool) -> Result<&Key, Error> {
        if !needs_rsa {
            return Ok(&self.ecdsa);
        }
        // That takes a tenth of a second, and sometimes several.
        let make = || Key::new(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048));
        let making = async || spawn_blocking(make).await.map_err(|error| unusable().because(error))?;
        self.rsa.get_or_try_init(making).await
    }

    fn mint(&self, wanted: &Wanted, key: &Key) -> Result<Arc<CertifiedKey>, Error> {
        let copied = || Leaf::copied(&wanted.certificate, &wanted.name);
        let (trusted, distrusted) = (&self.trusted, &self.distrusted);
        let chain = match wanted.standing {
            Standing::Good => {
                let leaf = Leaf::verified(&wanted.certificate, &wanted.name, wanted.day)?;
                vec![trusted.sign(&leaf, &key.pair)?, trusted.certificate()]
            }
            Standing::Flawed => vec![trusted.sign(&copied()?, &key.pair)?, trusted.certificate()],
            Standing::Rootless => vec![distrusted.sign(&copied()?, &key.pair)?],
            Standing::Untrusted => vec![distrusted.sign(&copied()?, &key.pair)?, distrusted.certificate()],
            Standing::SelfSigned => vec![copied()?.self_signed(&key.pair)?],
        };
        Ok(Arc::new(CertifiedKey::new(chain, Arc::clone(&key.signing))))
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
