//! Leaves as clients see them, and how often they are made.

use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, SanType};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::*;

fn authority() -> (Ca, CertifiedIssuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    (Ca { cert_pem: issuer.pem(), key_pem: issuer.key().serialize_pem() }, issuer)
}

fn wanted(standing: Standing) -> Wanted {
    let (_, issuer) = authority();
    let names = ["a.example".to_owned(), "192.0.2.1".to_owned()];
    let params = CertificateParams::new(names).unwrap();
    let certificate = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    let (name, day) = ("b.example".try_into().unwrap(), Day::today());
    Wanted { name, certificate: certificate.into(), standing, needs_rsa: false, day }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let san = certificate.subject_alternative_name().unwrap().unwrap();
    san.value.general_names.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_leaf_has_the_servers_names_our_dates_and_one_use() {
    let (ca, issuer) = authority();
    let leaf = Leaves::new(&ca).unwrap().leaf(wanted(Standing::Good)).await.unwrap();
    let (_, leaf) = X509Certificate::from_der(&leaf.cert[0]).unwrap();
    let (_, issuer) = X509Certificate::from_der(issuer.der()).unwrap();
    assert_eq!(names(&leaf), ["DNSName(b.example)", "DNSName(a.example)", "IPAddress(c0:00:02:01)"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    assert!(leaf.validity().not_before.timestamp() <= now - 3600);
    let days = leaf.validity().time_to_expiration().unwrap().whole_days();
    assert!((100..200).contains(&days), "{days}");
    assert!(leaf.extended_key_usage().unwrap().unwrap().value.server_auth);
    assert!(!leaf.is_ca());
    leaf.verify_signature(Some(issuer.public_key())).unwrap();
}

#[tokio::test]
async fn a_clock_that_jumps_gets_a_leaf_that_is_valid_then() {
    let (ca, _) = authority();
    let leaves = Leaves::new(&ca).unwrap();
    let wanted = wanted(Standing::Good);
    // 1970, 2001, 2033, and back: what was made under another clock is not shown.
    for day in [Day::of(1), Day::of(11_574), Day::of(23_148), Day::of(1)] {
        let leaf = leaves.leaf(Wanted { day, ..wanted.clone() }).await.unwrap();
        let (_, leaf) = X509Certificate::from_der(&leaf.cert[0]).unwrap();
        let noon = day.noon();
        let valid = leaf.validity().not_before.timestamp()..leaf.validity().not_after.timestamp();
        assert!(valid.contains(&noon), "{noon} is not in {valid:?}");
    }
}

#[tokio::test]
async fn a_bad_certificate_keeps_its_names_and_dates_and_gets_another_issuer() {
    let (ca, issuer) = authority();
    let wanted = wanted(Standing::Untrusted);
    let leaf = Leaves::new(&ca).unwrap().leaf(wanted.clone()).await.unwrap();
    let (_, leaf) = X509Certificate::from_der(&leaf.cert[0]).unwrap();
    let (_, server) = X509Certificate::from_der(&wanted.certificate).unwrap();
    let (_, issuer) = X509Certificate::from_der(issuer.der()).unwrap();
    assert_eq!(names(&leaf), names(&server));
    assert_eq!(leaf.validity(), server.validity());
    leaf.verify_signature(Some(issuer.public_key())).unwrap_err();
}

#[tokio::test]
async fn what_stands_behind_a_copy_is_what_stood_behind_the_original() {
    let (ca, issuer) = authority();
    let leaves = Leaves::new(&ca).unwrap();
    let table = [
        (Standing::Flawed, 2, true),
        (Standing::Rootless, 1, false),
        (Standing::Untrusted, 2, false),
        (Standing::SelfSigned, 1, false),
    ];
    for (standing, shown, is_ours) in table {
        let chain = leaves.leaf(wanted(standing)).await.unwrap().cert.clone();
        let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
        let (_, issuer) = X509Certificate::from_der(issuer.der()).unwrap();
        assert_eq!(chain.len(), shown, "{standing:?}");
        assert_eq!(leaf.verify_signature(Some(issuer.public_key())).is_ok(), is_ours, "{standing:?}");
        assert_eq!(leaf.verify_signature(None).is_ok(), standing == Standing::SelfSigned, "{standing:?}");
        assert_eq!(names(&leaf), ["DNSName(a.example)", "IPAddress(c0:00:02:01)"], "{standing:?}");
    }
}

#[tokio::test]
async fn a_client_that_needs_rsa_gets_it_and_the_key_is_made_once() {
    let leaves = Leaves::new(&authority().0).unwrap();
    let mut keys = Vec::new();
    for standing in [Standing::Good, Standing::SelfSigned] {
        let leaf = leaves.leaf(Wanted { needs_rsa: true, ..wanted(standing) }).await.unwrap();
        let (_, parsed) = X509Certificate::from_der(&leaf.cert[0]).unwrap();
        assert!(matches!(parsed.public_key().parsed(), Ok(PublicKey::RSA(_))));
        keys.push(parsed.public_key().raw.to_vec());
    }
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn odd_names_are_carried_or_left_out() {
    let (ca, issuer) = authority();
    let mut params = CertificateParams::new(["*.a.example".to_owned(), "x_y.a.example".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::IpAddress("2001:db8::1".parse().unwrap()));
    params.subject_alt_names.push(SanType::Rfc822Name("a@a.example".try_into().unwrap()));
    params.subject_alt_names.push(SanType::URI("https://a.example/".try_into().unwrap()));
    params.distinguished_name.push(DnType::CommonName, "\u{fc}ml\u{e4}ut ".repeat(20));
    let certificate = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    for name in ["c.a.example", "192.0.2.7", "2001:db8::1"] {
        let name = ServerName::try_from(name).unwrap();
        let wanted = Wanted { name: name.clone(), certificate: certificate.der().clone(), ..wanted(Standing::Good) };
        let leaf = Leaves::new(&ca).unwrap().leaf(wanted).await.unwrap();
        let (_, leaf) = X509Certificate::from_der(&leaf.cert[0]).unwrap();
        let carried = names(&leaf);
        assert!(carried.iter().any(|carried| carried == "DNSName(*.a.example)"), "{carried:?}");
        assert!(!carried.iter().any(|carried| carried.contains('@') || carried.contains("://")), "{carried:?}");
        let common = leaf.subject().iter_common_name().next().unwrap().as_str().unwrap();
        assert_eq!(common.chars().count(), 64);
    }
}

#[tokio::test]
async fn what_cannot_be_parsed_gets_a_leaf_for_the_name_asked_for() {
    let (ca, _) = authority();
    let unreadable = Wanted { certificate: vec![1, 2, 3].into(), ..wanted(Standing::Untrusted) };
    let leaf = Leaves::new(&ca).unwrap().leaf(unreadable).await.unwrap();
    assert_eq!(names(&X509Certificate::from_der(&leaf.cert[0]).unwrap().1), ["DNSName(b.example)"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leaf_is_made_once_for_all_who_want_it() {
    let leaves = Arc::new(Leaves::new(&authority().0).unwrap());
    let wanted = wanted(Standing::Good);
    let asking = (0..32).map(|_| {
        let (leaves, wanted) = (Arc::clone(&leaves), wanted.clone());
        tokio::spawn(async move { leaves.leaf(wanted).await.unwrap() })
    });
    let made = futures_util::future::join_all(asking.collect::<Vec<_>>()).await;
    let first = made[0].as_ref().unwrap();
    assert!(made.iter().all(|leaf| Arc::ptr_eq(leaf.as_ref().unwrap(), first)));
}

#[test]
fn the_cache_forgets_the_oldest() {
    let mut cache = Cache::default();
    let certificate = CertificateDer::from(Vec::new());
    for number in 0..=CAPACITY {
        let name = format!("n{number}.example").try_into().unwrap();
        cache.slot(&Arc::new(Wanted {
            name,
            certificate: certificate.clone(),
            standing: Standing::Good,
            needs_rsa: false,
            day: Day::of(1),
        }));
    }
    assert_eq!((cache.slots.len(), cache.order.len()), (CAPACITY, CAPACITY));
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (ca, other) = (authority().0, authority().0);
    let mixed = Ca { cert_pem: ca.cert_pem, key_pem: other.key_pem };
    let error = Leaves::new(&mixed).err().unwrap();
    assert!(error.chain().ends_with("it does not belong to the CA certificate"), "{}", error.chain());
    let broken = Ca { cert_pem: "no PEM".into(), key_pem: String::new() };
    assert_eq!(Leaves::new(&broken).err().unwrap().kind, Kind::Setup);
}
