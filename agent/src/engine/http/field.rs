//! Header and trailer fields, as they were sent: names in their own case, duplicates, and all in order.

use bytes::Bytes;

/// One field.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name, pseudo-headers with their colon.
    pub name: Bytes,
    /// Its value, without the space around it.
    pub value: Bytes,
    /// Its sender wants it in no compression table (RFC 7541 section 7.1.3).
    pub sensitive: bool,
}

impl Field {
    /// A field that may be indexed.
    #[must_use]
    pub fn new(name: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { name: name.into(), value: value.into(), sensitive: false }
    }

    /// Those that a library has read.
    #[must_use]
    pub fn all(map: &http::HeaderMap) -> Vec<Self> {
        let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            Self::new(Bytes::copy_from_slice(name.as_ref()), Bytes::copy_from_slice(value.as_bytes()))
        };
        map.iter().map(field).collect()
    }

    /// These, as a library has them; what it cannot have is left out.
    #[must_use]
    pub fn map(fields: &[Self]) -> http::HeaderMap {
        let entry = |field: &Self| {
            let name = http::HeaderName::from_bytes(&field.name).ok()?;
            Some((name, http::HeaderValue::from_bytes(&field.value).ok()?))
        };
        let mut map = http::HeaderMap::with_capacity(fields.len());
        for (name, value) in fields.iter().filter_map(entry) {
            map.append(name, value);
        }
        map
    }

    /// Whether this is the field `name`, whatever the case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value as text, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.value).ok()
    }
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name.escape_ascii(), self.value.escape_ascii())
    }
}

/// Fields that say how a message is framed, carried, and where it goes, of one connection or one body (RFC 9110 section
/// 7.6.1): what changes or makes messages for users does not set them.
pub const CARRIED: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The values of all fields `name`.
pub fn values<'a>(fields: &'a [Field], name: &'a str) -> impl Iterator<Item = &'a Bytes> {
    fields.iter().filter(move |field| field.is(name)).map(|field| &field.value)
}

/// The elements of the comma-separated lists of all fields `name` (RFC 9110 section 5.6.1), without space around them.
pub fn elements<'a>(fields: &'a [Field], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let lists = values(fields, name).flat_map(|value| value.split(|&byte| byte == b','));
    lists.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}
