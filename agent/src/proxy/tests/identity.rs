//! Servers that ask for a client's certificate.

use std::sync::Arc;

use rustls::AlertDescription;

use super::lab::*;
use super::tls_lab::*;
use crate::engine::event::Event;

fn asked(events: &[Event]) -> Vec<bool> {
    let asked = |event: &Event| match event {
        Event::ClientCertificateRequested { name, used, .. } if name == NAME => Some(*used),
        _ => None,
    };
    events.iter().filter_map(asked).collect()
}

#[tokio::test]
async fn a_configured_certificate_is_shown_to_its_host_alone() {
    for versions in VERSIONS {
        for (host, used) in [("*.example", true), ("other.example", false)] {
            let root = authority();
            let (address, noticed) = Origin::asking(versions, &root, false).serve(&root).await;
            let setup = Setup {
                roots: vec![root.der().clone()],
                client_certificates: vec![identity(&root, host)],
                ..Setup::default()
            };
            let lab = Lab::with(address, setup).await;
            let config = Arc::new(client(&[&lab.root], EITHER));
            exchange(&lab, &config, NAME).await;
            exchange(&lab, &config, NAME).await;
            // A session that is resumed is not asked again.
            assert_eq!(asked(&lab.finish().await), [used]);
            assert!(noticed.lock().unwrap().iter().all(|noticed| noticed.has_client_certificate == used));
        }
    }
}

#[tokio::test]
async fn a_server_that_insists_has_its_alert_passed_on() {
    for (versions, alert) in VERSIONS.into_iter().zip([
        // rustls names it so for both versions.
        AlertDescription::CertificateRequired,
        AlertDescription::CertificateRequired,
    ]) {
        let root = authority();
        let lab = Lab::new(Origin::asking(versions, &root, true).serve(&root).await.0, Some(&root)).await;
        let config = Arc::new(client(&[&lab.root], EITHER));
        let error = shake(&config, NAME, lab.tcp().await).await.unwrap_err();
        let error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).unwrap();
        assert_eq!(*error, rustls::Error::AlertReceived(alert), "{versions:?}");
        assert_eq!(asked(&lab.finish().await), [false]);
    }
}
