//! Hands the secrets of TLS connections to whoever is to have them. They reach nothing else: no event, no log.

use std::fmt;
use std::sync::Arc;

use rustls::{KeyLog, NoKeyLog};

use crate::proxy::Secrets;
use crate::proxy::error::Side;

/// What rustls tells the secrets of one side.
pub(crate) fn key_log(side: Side, secrets: Option<&Arc<dyn Secrets>>) -> Arc<dyn KeyLog> {
    match secrets {
        Some(secrets) => Arc::new(Told { side, secrets: Arc::clone(secrets) }),
        None => Arc::new(NoKeyLog),
    }
}

struct Told {
    side: Side,
    secrets: Arc<dyn Secrets>,
}

impl KeyLog for Told {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.secrets.secret(self.side, label, client_random, secret);
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Told").field(&self.side).finish()
    }
}
