//! What to set so that a kind of client trusts the session's authority. The session sets all of these already where it
//! can; a client that still refuses was started without them, reads them no more, or has roots that nothing changes.

/// Names of programs, what they begin with, and what helps. The first that fits counts.
const TABLE: &[(&[&str], &str)] = &[
    (
        &["node", "npm", "npx", "yarn", "pnpm", "tsx"],
        "set NODE_EXTRA_CA_CERTS to the session's ca.pem before it starts, or NODE_OPTIONS=--use-openssl-ca; code that \
         passes `ca` itself has to add that file",
    ),
    (&["bun", "claude"], "set NODE_EXTRA_CA_CERTS to the session's ca.pem before it starts"),
    (&["deno"], "set DENO_CERT to the session's ca.pem, or DENO_TLS_CA_STORE=system"),
    (&["pip"], "set PIP_CERT to the session's bundle.pem"),
    (&["aws"], "set AWS_CA_BUNDLE to the session's bundle.pem"),
    (&["python", "uv", "gunicorn", "celery"], "set REQUESTS_CA_BUNDLE and SSL_CERT_FILE to the session's bundle.pem"),
    (
        &["java", "gradle", "mvn", "kotlin", "scala", "sbt"],
        "set JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore to the session's cacerts, with -Djavax.net.ssl.trustStorePassword=changeit",
    ),
    (
        &["firefox", "thunderbird"],
        "import the session's ca.pem into the profile with `certutil -A -t C,, -d sql:PROFILE`, or by the policy Certificates.Install",
    ),
    (
        &["chrom", "google-chrome", "electron", "code", "cursor", "brave", "vivaldi", "opera", "msedge", "slack"],
        "import the session's ca.pem with `certutil -A -t C,, -d sql:$HOME/.pki/nssdb`; its Node side reads NODE_EXTRA_CA_CERTS",
    ),
    (&["git"], "set GIT_SSL_CAINFO to the session's bundle.pem, and unset http.sslCAInfo"),
    (&["cargo", "rustup"], "set CARGO_HTTP_CAINFO and SSL_CERT_FILE to the session's bundle.pem"),
    (&["curl"], "set CURL_CA_BUNDLE to the session's bundle.pem, and give it no --cacert"),
    (&["wget"], "give it `--ca-certificate` with the session's bundle.pem"),
    (&["ruby", "gem", "bundle"], "set SSL_CERT_FILE to the session's bundle.pem"),
    (&["php", "composer"], "set openssl.cafile and curl.cainfo in php.ini to the session's bundle.pem"),
    (&["perl"], "set PERL_LWP_SSL_CA_FILE to the session's bundle.pem"),
];

/// For a client of which nothing is known.
const ANY: &str = "set SSL_CERT_FILE to the session's bundle.pem (OpenSSL, Go, Rust), NODE_EXTRA_CA_CERTS to its ca.pem \
                   (Node); a client that pins its server's certificate can only be passed through";

/// What would make the program that is called `executable`, a path or a name, trust the session's authority.
///
/// ```
/// use agent::engine::pinning::remedy;
/// assert!(remedy(Some("/usr/bin/python3.11")).contains("REQUESTS_CA_BUNDLE"));
/// ```
#[must_use]
pub fn remedy(executable: Option<&str>) -> &'static str {
    let Some(executable) = executable else { return ANY };
    let name = executable.rsplit('/').next().unwrap_or(executable).to_ascii_lowercase();
    let fits = |(names, _): &&(&[&str], &'static str)| names.iter().any(|known| name.starts_with(known));
    TABLE.iter().find(fits).map_or(ANY, |(_, setting)| setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_client_has_its_setting() {
        let table = [
            (Some("/usr/bin/node"), "NODE_EXTRA_CA_CERTS"),
            (Some("python3.12"), "REQUESTS_CA_BUNDLE"),
            (Some("/opt/venv/bin/pip"), "PIP_CERT"),
            (Some("/usr/lib/jvm/default/bin/java"), "JAVA_TOOL_OPTIONS"),
            (Some("chrome"), "nssdb"),
            (Some("/usr/share/cursor/cursor"), "nssdb"),
            (Some("Chromium"), "nssdb"),
            (Some("git-remote-https"), "GIT_SSL_CAINFO"),
            (Some("a.out"), "SSL_CERT_FILE"),
            (None, "SSL_CERT_FILE"),
        ];
        for (executable, setting) in table {
            assert!(remedy(executable).contains(setting), "{executable:?}");
        }
    }
}
