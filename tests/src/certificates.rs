//! The certificate authorities and certificates of the lab's origins: good ones made with openssl(1), bad ones with rcgen,
//! which lets one say everything.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

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

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It is for `wrong.test`.
    WrongName,
    /// It is for `wrong.test`, and its time is over.
    WrongNameAndExpired,
    /// It is signed by itself.
    SelfSigned,
    /// It is signed by an authority that nobody knows, which the server shows.
    UnknownAuthority,
    /// It is signed by an authority that nobody knows, which the server does not show.
    UnknownAuthorityUnseen,
    /// It is signed by an intermediate authority that the server does not show.
    Incomplete,
    /// It may not be used by servers.
    WrongUse,
    /// It is an authority's.
    AnAuthoritys,
}

impl Authority {
    /// Makes a certificate for `host`, a name or an address, that has one defect; returns the paths of what the server
    /// shows and its key.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn issue_bad(&self, scratch: &Scratch, host: &str, defect: Defect) -> (String, String) {
        let names_host = !matches!(defect, Defect::WrongName | Defect::WrongNameAndExpired);
        let host = if names_host { host } else { "wrong.test" };
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, host);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        match defect {
            Defect::Expired | Defect::WrongNameAndExpired => params.not_after = date_time_ymd(2020, 1, 1),
            Defect::NotYetValid => params.not_before = date_time_ymd(2090, 1, 1),
            Defect::WrongUse => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning],
            Defect::AnAuthoritys => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            _ => {}
        }
        let (key, unknown) = (KeyPair::generate().unwrap(), authority("unknown root"));
        let pem = std::fs::read_to_string(&self.cert).unwrap();
        let known = KeyPair::from_pem(&std::fs::read_to_string(&self.key).unwrap()).unwrap();
        let known = Issuer::from_ca_cert_pem(&pem, known).unwrap();
        let shown = match defect {
            Defect::SelfSigned => params.self_signed(&key).unwrap().pem(),
            Defect::UnknownAuthority => params.signed_by(&key, &unknown).unwrap().pem() + &unknown.pem(),
            Defect::UnknownAuthorityUnseen => params.signed_by(&key, &unknown).unwrap().pem(),
            Defect::Incomplete => {
                let middle = authority_params("middle authority");
                let middle = CertifiedIssuer::signed_by(middle, KeyPair::generate().unwrap(), &known).unwrap();
                params.signed_by(&key, &middle).unwrap().pem()
            }
            _ => params.signed_by(&key, &known).unwrap().pem(),
        };
        let name = format!("{defect:?}").to_lowercase();
        (scratch.write(&format!("{name}.pem"), shown), scratch.write(&format!("{name}.key"), key.serialize_pem()))
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap()
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

const NEW: &[&str] = &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];

fn openssl(args: &[&str]) {
    process::run(tools::command("openssl").args(args)).ok();
}
