//! The secrets of both sides are told, and are those that client and server have.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use rustls::KeyLog;

use super::lab::*;
use super::tls_lab::*;
use crate::proxy::{Secrets, Side};

/// Label, client random and secret.
type Secret = (String, Vec<u8>, Vec<u8>);

/// What one end of a connection knows.
#[derive(Debug, Default)]
struct Known(Mutex<BTreeSet<Secret>>);

impl Known {
    /// Only a server derives the secret of early data that nobody sends.
    fn all(&self) -> BTreeSet<Secret> {
        let known = self.0.lock().unwrap();
        known.iter().filter(|(label, ..)| label != "CLIENT_EARLY_TRAFFIC_SECRET").cloned().collect()
    }
}

impl KeyLog for Known {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.0.lock().unwrap().insert((label.to_owned(), client_random.to_vec(), secret.to_vec()));
    }
}

#[derive(Default)]
struct Told {
    downstream: Known,
    upstream: Known,
}

impl Secrets for Told {
    fn secret(&self, side: Side, label: &str, client_random: &[u8], secret: &[u8]) {
        let known = match side {
            Side::Downstream => &self.downstream,
            Side::Upstream => &self.upstream,
            Side::Internal => panic!("{label}"),
        };
        known.log(label, client_random, secret);
    }
}

#[tokio::test]
async fn each_sides_secrets_are_those_of_its_peer() {
    for versions in VERSIONS {
        let root = authority();
        let (servers, clients, told) =
            (Arc::new(Known::default()), Arc::new(Known::default()), Arc::new(Told::default()));
        let origin = Origin { versions, keys: servers.clone(), ..Origin::default() };
        let setup = Setup { roots: vec![root.der().clone()], secrets: Some(told.clone()), ..Setup::default() };
        let lab = Lab::with(origin.serve(&root).await.0, setup).await;
        let mut config = client(&[&lab.root], versions);
        config.key_log = clients.clone();
        let config = Arc::new(config);
        // The second is resumed.
        for _ in 0..2 {
            exchange(&lab, &config, NAME).await;
        }
        lab.finish().await;
        assert_eq!(told.downstream.all(), clients.all(), "{versions:?}");
        assert_eq!(told.upstream.all(), servers.all(), "{versions:?}");
        let labels: BTreeSet<String> = clients.all().into_iter().map(|(label, ..)| label).collect();
        let expect = if versions == NEW { "SERVER_TRAFFIC_SECRET_0" } else { "CLIENT_RANDOM" };
        assert!(labels.contains(expect), "{labels:?}");
    }
}
