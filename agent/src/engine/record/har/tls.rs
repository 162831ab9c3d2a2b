//! What is known of the TLS connection to the server, in the form of the DevTools protocol's `SecurityDetails`.

use serde_json::{Map, Value, json};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::engine::record::rows::Connection;

/// The field `_securityDetails`, if the connection has TLS.
pub(super) fn details(connection: &Connection, certificate: Option<&[u8]>) -> Map<String, Value> {
    let Some(tls) = &connection.server_tls else { return Map::new() };
    let (protocol, cipher) = tls.suite.split_once(' ').unwrap_or((&tls.suite, ""));
    // As Chrome names it: `TLS 1.3`.
    let protocol = protocol.replace("TLSv1_", "TLS 1.");
    let mut details = json!({ "protocol": protocol, "cipher": cipher, "verified": connection.verified });
    let parsed = certificate.and_then(|der| X509Certificate::from_der(der).ok());
    if let Some((_, certificate)) = parsed {
        let validity = certificate.validity();
        details["subjectName"] = certificate.subject().to_string().into();
        details["issuer"] = certificate.issuer().to_string().into();
        details["sanList"] = names(&certificate);
        details["validFrom"] = validity.not_before.timestamp().into();
        details["validTo"] = validity.not_after.timestamp().into();
    }
    [("_securityDetails".to_owned(), details)].into_iter().collect()
}

fn names(certificate: &X509Certificate<'_>) -> Value {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(Value::from(*name)),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string().into()),
        _ => None,
    };
    names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<std::net::IpAddr> {
    <[u8; 4]>::try_from(bytes).map(Into::into).or_else(|_| <[u8; 16]>::try_from(bytes).map(Into::into)).ok()
}
