//! The certificate authority of a session: made for it and kept in memory, or the user's own.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData as _,
};
use x509_parser::pem::parse_x509_pem;
use x509_parser::time::ASN1Time;

use super::{Error, read};
use crate::proxy::Ca;

/// How long an authority made for a session is valid, in days; no session lasts as long.
const VALID_DAYS: i64 = 90;

/// The user's authority if both files are named, else a new one.
///
/// # Errors
/// If only one is named, a file cannot be read, or they do not belong together.
pub fn authority(certificate: Option<&Path>, key: Option<&Path>) -> Result<Ca, Error> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => load(certificate, key),
        (None, None) => generate(),
        (Some(_), None) => Err(Error::Authority("`--ca-cert` needs `--ca-key`: give both or neither".into())),
        (None, Some(_)) => Err(Error::Authority("`--ca-key` needs `--ca-cert`: give both or neither".into())),
    }
}

fn generate() -> Result<Ca, Error> {
    let failed = |error: rcgen::Error| Error::Authority(format!("cannot make a certificate authority: {error}"));
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "agent");
    params.distinguished_name.push(DnType::CommonName, "agent session CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let now = ASN1Time::now().to_datetime();
    // Clocks of containers and virtual machines differ from ours by a little.
    params.not_before = now - std::time::Duration::from_secs(24 * 3600);
    params.not_after = now + std::time::Duration::from_secs(VALID_DAYS.unsigned_abs() * 24 * 3600);
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(Ca { cert_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

fn load(certificate: &Path, key: &Path) -> Result<Ca, Error> {
    let refused = |path: &Path, why: &str| Error::Authority(format!("`{}`: {why}", path.display()));
    let cert_pem = text(read("--ca-cert", certificate)?);
    let key_pem = text(read("--ca-key", key)?);
    let no_certificate = || Error::NoCertificate { option: "--ca-cert", path: certificate.to_owned() };
    let (_, block) = parse_x509_pem(cert_pem.as_bytes()).map_err(|_unreadable| no_certificate())?;
    let parsed = block.parse_x509().map_err(|_unreadable| no_certificate())?;
    let pair = KeyPair::from_pem(&key_pem)
        .map_err(|_unreadable| refused(key, "the file has no private key in PEM (`-----BEGIN PRIVATE KEY-----`)"))?;
    if !parsed.is_ca() {
        return Err(refused(certificate, "the certificate is not an authority's (basic constraints: CA)"));
    }
    if !parsed.validity().is_valid() {
        return Err(refused(certificate, "the certificate is expired or not yet valid"));
    }
    if parsed.public_key().raw != pair.subject_public_key_info() {
        return Err(Error::Authority(format!(
            "`{}` is not the key of `{}`; give the pair that belongs together",
            key.display(),
            certificate.display()
        )));
    }
    Ok(Ca { cert_pem, key_pem })
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}
