//! Text with places that a request fills: `{{method}}`, `{{url}}`, `{{host}}`, `{{path}}`, `{{query.NAME}}`,
//! `{{header.NAME}}`.

use super::subject::Subject;
use crate::engine::http::values;

/// `text` with its places filled. What names nothing known stays as it is; what the request does not have is empty.
#[must_use]
pub(super) fn fill(text: &str, subject: &Subject<'_>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        filled.push_str(before);
        let place = behind.split_once("}}");
        let known = place.and_then(|(name, behind)| value(name.trim(), subject).map(|value| (value, behind)));
        rest = match known {
            Some((value, behind)) => {
                filled.push_str(&value);
                behind
            }
            None => {
                filled.push_str("{{");
                behind
            }
        };
    }
    filled.push_str(rest);
    filled
}

fn value(name: &str, subject: &Subject<'_>) -> Option<String> {
    let head = subject.head;
    match name {
        "method" => Some(head.method.to_string()),
        "url" => Some(head.url()),
        "host" => Some(subject.host().to_owned()),
        "path" => Some(subject.path().to_owned()),
        _ => match name.split_once('.')? {
            ("query", name) => {
                let value = subject.query().find(|(key, _)| key == name);
                Some(value.map(|(_, value)| value.into_owned()).unwrap_or_default())
            }
            ("header", name) => {
                let value = values(&head.fields, name).next();
                Some(value.map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default())
            }
            _ => None,
        },
    }
}
