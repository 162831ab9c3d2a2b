//! The certificate authorities and certificates of the lab's origins, made with openssl(1).

use crate::process;
use crate::scratch::Scratch;
use crate::tools;

/// An authority whose files are `NAME.pem` and `NAME.key` in a scratch directory.
pub struct Authority {
    /// The certificate.
    pub cert: String,
    /// The private key.
    pub key: String,
}

impl Authority {
    /// Makes one with this subject.
    #[must_use]
    pub fn new(scratch: &Scratch, name: &str, subject: &str) -> Self {
        let (cert, key) = (scratch.file(&format!("{name}.pem")), scratch.file(&format!("{name}.key")));
        let subject = format!("/CN={subject}");
        let extensions = "basicConstraints=critical,CA:TRUE";
        openssl(&[NEW, &["-subj", &subject, "-addext", extensions, "-keyout", &key, "-out", &cert]].concat());
        Self { cert, key }
    }

    /// Issues a certificate for these subject alternative names, such as `DNS:origin.test` and `IP:192.0.2.1`; returns
    /// the paths of the certificate and its key.
    #[must_use]
    pub fn issue(&self, scratch: &Scratch, name: &str, alternative_names: &str) -> (String, String) {
        let (cert, key) = (scratch.file(&format!("{name}.pem")), scratch.file(&format!("{name}.key")));
        let (subject, names) = (format!("/CN={name}"), format!("subjectAltName={alternative_names}"));
        let signer: &[&str] = &["-CA", &self.cert, "-CAkey", &self.key];
        let leaf: &[&str] = &["-subj", &subject, "-addext", &names, "-addext", "basicConstraints=critical,CA:FALSE"];
        openssl(&[NEW, signer, leaf, &["-keyout", &key, "-out", &cert]].concat());
        (cert, key)
    }
}

const NEW: &[&str] = &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];

fn openssl(args: &[&str]) {
    process::run(tools::command("openssl").args(args)).ok();
}
