//! Signs leaf certificates. One authority is the CA that the child trusts; a second, which nobody trusts, signs for
//! servers whose own certificate is bad, so that the child judges the copy as it would have judged the original.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::proxy::Ca;
use crate::proxy::error::{Error, Kind, Side};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Clients refuse leaves valid for more than 200 days.
const VALIDITY: Duration = DAY.saturating_mul(180);
/// A common name has at most 64 characters (RFC 5280 appendix A).
const MAX_COMMON_NAME: usize = 64;

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    /// The CA given as PEM.
    ///
    /// # Errors
    /// [`Kind::Setup`] if either part cannot be read or the key is another certificate's.
    pub(crate) fn from_pem(ca: &Ca) -> Result<Self, Error> {
        let certificate = CertificateDer::from_pem_slice(ca.cert_pem.as_bytes())
            .map_err(|error| setup("the CA certificate").because(error))?;
        let key = KeyPair::from_pem(&ca.key_pem).map_err(|error| setup("the CA key").because(error))?;
        let (_, parsed) =
            X509Certificate::from_der(&certificate).map_err(|error| setup("the CA certificate").because(error))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(setup("the CA key").because("it does not belong to the CA certificate"));
        }
        let issuer =
            Issuer::from_ca_cert_der(&certificate, key).map_err(|error| setup("the CA certificate").because(error))?;
        Ok(Self { issuer, certificate })
    }

    /// A CA that nobody trusts, for the time of the session.
    pub(crate) fn distrusted() -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name("agent: the server's certificate was not accepted");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().map_err(minting)?;
        let certificate = params.self_signed(&key).map_err(minting)?;
        Ok(Self { issuer: Issuer::new(params, key), certificate: certificate.into() })
    }

    /// A leaf for `key`.
    pub(crate) fn sign(&self, leaf: &Leaf, key: &KeyPair) -> Result<CertificateDer<'static>, Error> {
        leaf.params.signed_by(key, &self.issuer).map(Into::into).map_err(minting)
    }

    /// The authority's own certificate.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }
}

/// A day, counted from the beginning of 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Day(u32);

impl Day {
    /// The clock's. Before 1970 it is the first.
    pub(crate) fn today() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u32::try_from(since.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX))
    }

    #[cfg(test)]
    pub(crate) const fn of(number: u32) -> Self {
        Self(number)
    }

    #[cfg(test)]
    pub(crate) fn noon(self) -> i64 {
        i64::from(self.0) * 86_400 + 43_200
    }

    fn start(self) -> SystemTime {
        UNIX_EPOCH + DAY.saturating_mul(self.0.max(1))
    }
}

/// A leaf certificate before it is signed.
pub(crate) struct Leaf {
    params: CertificateParams,
}

impl Leaf {
    /// The leaf for a server that was verified as `name`: the server's names, that one among them, and dates of ours.
    pub(crate) fn verified(certificate: &CertificateDer<'_>, name: &ServerName<'_>, day: Day) -> Result<Self, Error> {
        let mut leaf = Self::copied(certificate, name)?;
        let wanted = san(name)?;
        if !leaf.params.subject_alt_names.contains(&wanted) {
            leaf.params.subject_alt_names.insert(0, wanted);
        }
        if leaf.params.distinguished_name.iter().next().is_none() {
            leaf.params.distinguished_name = self::name(&name.to_str());
        }
        leaf.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let start = day.start() - DAY;
        leaf.params.not_before = start.into();
        leaf.params.not_after = (start + VALIDITY).into();
        Ok(leaf)
    }

    /// The leaf for a server whose certificate is bad: its subject, names, uses and dates. What cannot be read is made
    /// of `fallback`.
    pub(crate) fn copied(certificate: &CertificateDer<'_>, fallback: &ServerName<'_>) -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        match X509Certificate::from_der(certificate) {
            Ok((_, server)) => {
                params.distinguished_name = subject(&server);
                params.subject_alt_names = names(&server);
                params.not_before = server.validity().not_before.to_datetime();
                params.not_after = server.validity().not_after.to_datetime();
                params.extended_key_usages = uses(&server);
            }
            Err(error) => {
                tracing::debug!(%error, "cannot read a server certificate");
                params.distinguished_name = name(&fallback.to_str());
                params.subject_alt_names = vec![san(fallback)?];
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        Ok(Self { params })
    }

    /// Signs it with its own key.
    pub(crate) fn self_signed(mut self, key: &KeyPair) -> Result<CertificateDer<'static>, Error> {
        self.params.use_authority_key_identifier_extension = false;
        self.params.self_signed(key).map(Into::into).map_err(minting)
    }
}

/// The common name, as far as it can be carried. Of the rest of a subject no client makes anything.
fn subject(certificate: &X509Certificate<'_>) -> DistinguishedName {
    let common = certificate.subject().iter_common_name().find_map(|common| common.as_str().ok());
    common.map_or_else(DistinguishedName::new, name)
}

/// The uses that a server may have and those that it should not; without the extension a certificate has all.
fn uses(certificate: &X509Certificate<'_>) -> Vec<ExtendedKeyUsagePurpose> {
    use ExtendedKeyUsagePurpose as Purpose;
    let Ok(Some(extension)) = certificate.extended_key_usage() else { return vec![Purpose::ServerAuth] };
    let has = extension.value;
    let uses = [
        (has.any, Purpose::Any),
        (has.server_auth, Purpose::ServerAuth),
        (has.client_auth, Purpose::ClientAuth),
        (has.code_signing, Purpose::CodeSigning),
        (has.email_protection, Purpose::EmailProtection),
        (has.time_stamping, Purpose::TimeStamping),
        (has.ocsp_signing, Purpose::OcspSigning),
    ];
    uses.into_iter().filter(|(has, _)| *has).map(|(_, purpose)| purpose).collect()
}

fn names(certificate: &X509Certificate<'_>) -> Vec<SanType> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(general_name).collect()
}

/// Names that TLS clients match; others mean nothing to them.
fn general_name(name: &GeneralName<'_>) -> Option<SanType> {
    match name {
        GeneralName::DNSName(name) => Some(SanType::DnsName((*name).try_into().ok()?)),
        GeneralName::IPAddress(bytes) => ip(bytes).map(SanType::IpAddress),
        _ => None,
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn san(name: &ServerName<'_>) -> Result<SanType, Error> {
    match name {
        ServerName::IpAddress(ip) => Ok(SanType::IpAddress((*ip).into())),
        name => Ok(SanType::DnsName(name.to_str().as_ref().try_into().map_err(minting)?)),
    }
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common.chars().take(MAX_COMMON_NAME).collect::<String>());
    name
}

fn setup(what: &'static str) -> Error {
    Error::new(Side::Internal, Kind::Setup, what)
}

fn minting(error: rcgen::Error) -> Error {
    setup("a leaf certificate").because(error)
}
