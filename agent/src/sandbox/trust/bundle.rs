//! Root certificates as PEM.

use std::fs;
use std::io;

use pem::{EncodeConfig, LineEnding, Pem};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::sandbox::Error;

/// The certificates of the first of `bundles` that has any, in DER.
pub(super) fn system_roots(bundles: &[&str]) -> Vec<Vec<u8>> {
    let read = |path: &&str| {
        let pem = fs::read(path).ok()?;
        let roots: Vec<Vec<u8>> =
            CertificateDer::pem_slice_iter(&pem).flatten().map(|certificate| certificate.to_vec()).collect();
        (!roots.is_empty()).then_some(roots)
    };
    bundles.iter().find_map(read).unwrap_or_default()
}

/// The certificate in `pem`, in DER.
///
/// # Errors
/// If there is none.
pub(super) fn certificate(pem: &str) -> Result<Vec<u8>, Error> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| Error::system("read the authority's certificate")(io::Error::other(error)))?;
    Ok(certificate.to_vec())
}

/// `roots` and the certificate `ca_pem` in one file. The authority comes first: some readers stop early.
pub(super) fn pem(roots: &[Vec<u8>], ca_pem: &str) -> Vec<u8> {
    let blocks: Vec<Pem> = roots.iter().map(|root| Pem::new("CERTIFICATE", root.as_slice())).collect();
    let text = pem::encode_many_config(&blocks, EncodeConfig::new().set_line_ending(LineEnding::LF));
    format!("{}\n{text}", ca_pem.trim_end()).into_bytes()
}
