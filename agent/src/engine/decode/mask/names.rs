//! Names of what is secret. All in lower case.

/// Fields whose whole value is.
pub(super) const FIELDS: [&str; 8] = [
    "x-goog-iap-jwt-assertion",
    "x-amzn-oidc-data",
    "cf-access-jwt-assertion",
    "x-functions-key",
    "x-hub-signature",
    "x-hub-signature-256",
    "x-twilio-signature",
    "sec-websocket-authorization",
];

/// How the names of such fields end: `X-Api-Key`, `X-Amz-Security-Token`, `X-CSRF-Token` and whatever is called alike.
pub(super) const FIELD_ENDINGS: [&str; 13] = [
    "token",
    "secret",
    "password",
    "passwd",
    "api-key",
    "apikey",
    "api_key",
    "access-key",
    "auth-key",
    "subscription-key",
    "csrf",
    "xsrf",
    "credentials",
];

/// Fields that are a URL.
pub(super) const URLS: [&str; 4] = ["referer", "location", "content-location", ":path"];

/// Values in JSON, forms, queries and XML. `token` is not among them: in JSON it often is a piece of text.
pub(super) const USUAL: [&str; 26] = [
    "password",
    "passwd",
    "passphrase",
    "current_password",
    "new_password",
    "secret",
    "client_secret",
    "clientsecret",
    "access_token",
    "accesstoken",
    "refresh_token",
    "refreshtoken",
    "id_token",
    "idtoken",
    "session_token",
    "sessiontoken",
    "auth_token",
    "authtoken",
    "bearer_token",
    "api_key",
    "apikey",
    "api-key",
    "private_key",
    "privatekey",
    "secret_access_key",
    "secretaccesskey",
];

/// Values in forms and queries besides.
pub(super) const PARAMETERS: [&str; 24] = [
    "token",
    "key",
    "sig",
    "signature",
    "code",
    "code_verifier",
    "auth",
    "authorization",
    "jwt",
    "pwd",
    "pass",
    "client_assertion",
    "assertion",
    "subject_token",
    "device_code",
    "samlresponse",
    "subscription-key",
    "access_key",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
    "x-goog-signature",
    "x-goog-credential",
    "x-api-key",
];
