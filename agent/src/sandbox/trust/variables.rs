//! The variables by which programs are told what to trust. Most replace a program's roots, so they name the whole
//! bundle; some add to them, so they name the authority alone.

use std::collections::BTreeMap;
use std::path::Path;

use super::Paths;

/// Variables that replace the roots: system bundle and authority.
const REPLACE: &[&str] = &[
    // OpenSSL, Go, Python's ssl and httpx, Ruby, .NET, rustls-native-certs, uv.
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    // Python requests.
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    // gRPC for C++, Python, Ruby and Node.
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "NIX_SSL_CERT_FILE",
    "PERL_LWP_SSL_CA_FILE",
];

/// Variables that name a directory of hashed certificates.
const DIRECTORY: &[&str] = &["SSL_CERT_DIR", "GIT_SSL_CAPATH"];

/// Variables that add to the roots: the authority alone.
const APPEND: &[&str] = &[
    // Node, Bun, Electron's Node side.
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
];

/// Switches that make a runtime with roots of its own read the system's as well.
const SWITCHES: &[(&str, &str)] =
    &[("NODE_USE_SYSTEM_CA", "1"), ("DENO_TLS_CA_STORE", "system,mozilla"), ("UV_SYSTEM_CERTS", "true")];

/// Variables whose value is added to one that the user has set, because it is a list of options.
pub const JOINED: &[&str] = &["JAVA_TOOL_OPTIONS", "PHP_INI_SCAN_DIR"];

/// Every variable and its value.
pub(super) fn all(paths: &Paths) -> BTreeMap<String, String> {
    let each = |names: &'static [&'static str], path: &Path| {
        let value = path.display().to_string();
        names.iter().map(move |name| ((*name).to_owned(), value.clone())).collect::<Vec<_>>()
    };
    let mut all: BTreeMap<String, String> =
        SWITCHES.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    all.extend(each(REPLACE, &paths.bundle));
    all.extend(each(DIRECTORY, &paths.hashed));
    all.extend(each(APPEND, &paths.ca));
    all.insert("JAVA_TOOL_OPTIONS".into(), format!("-Djavax.net.ssl.trustStore={}", paths.java.display()));
    // The empty first entry keeps PHP's own directory.
    all.insert("PHP_INI_SCAN_DIR".into(), format!(":{}", paths.php.display()));
    all
}

/// What PHP reads from its extra directory.
pub(super) fn php_ini(bundle: &Path) -> String {
    let bundle = bundle.display();
    format!("openssl.cafile={bundle}\ncurl.cainfo={bundle}\n")
}
