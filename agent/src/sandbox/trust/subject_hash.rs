//! The hash by which OpenSSL finds a certificate in a directory (`X509_NAME_hash`, OpenSSL 1.0.0 and later): the first
//! four bytes of the SHA-1 of the subject in a canonical encoding.

use std::io;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::sandbox::Error;

const SET: u8 = 0x31;
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;

/// The hash of the subject of a certificate in DER.
///
/// # Errors
/// If it is no certificate.
pub(super) fn subject_hash(certificate: &[u8]) -> Result<u32, Error> {
    let (_, certificate) = X509Certificate::from_der(certificate)
        .map_err(|error| Error::system("read the authority's certificate")(io::Error::other(error)))?;
    let mut canonical = Vec::new();
    for rdn in certificate.subject().iter_rdn() {
        let attributes = rdn.iter().map(|attribute| {
            let text = attribute.as_str().unwrap_or_default();
            let oid = element(OBJECT_IDENTIFIER, attribute.attr_type().as_bytes());
            let value = element(UTF8_STRING, canonical_text(text).as_bytes());
            element(SEQUENCE, &[oid, value].concat())
        });
        canonical.extend(element(SET, &attributes.collect::<Vec<_>>().concat()));
    }
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &canonical);
    Ok(digest.as_ref().iter().take(4).rev().fold(0, |hash, byte| hash << 8 | u32::from(*byte)))
}

/// Lower case, white space trimmed and collapsed (crypto/x509/x_name.c, `asn1_string_canon`).
fn canonical_text(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

/// One DER element; names are far below 64 KiB.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap_or(0).to_be_bytes();
    let mut der = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    der.extend(content);
    der
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::subject_hash;

    /// Made with `openssl req -x509 -subj "/O=Agent Test/CN=agent  Session CA"`; the hash is what
    /// `openssl x509 -subject_hash` prints for it.
    const CERTIFICATE: &str = include_str!("testdata/subject.pem");

    #[test]
    fn the_hash_is_the_one_openssl_computes() {
        let der = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
        assert_eq!(format!("{:08x}", subject_hash(&der).unwrap()), "7581ce25");
    }
}
