//! A request as a command of curl for a POSIX shell: the same method, address, version, fields in their order, and body.

use super::rows::{Exchange, Half};
use crate::engine::http::Field;

/// A longer body goes into a file: a command line has little room for it.
const MAX_ARGUMENT: usize = 64 << 10;

/// Fields that curl or the connection makes itself: what they say is of one connection, or of the body that is sent.
const OWN: [&str; 9] = [
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];
/// Fields that curl adds unless it is told not to.
const ADDED: [&str; 3] = ["User-Agent", "Accept", "Content-Type"];

/// Why a request cannot be repeated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrepeatable {
    /// It is the beginning of something else.
    #[error("what it begins is not HTTP: curl cannot repeat it")]
    Tunnel,
    /// Not all of the body is there.
    #[error("not all of its body was kept")]
    Cut,
    /// The body does not fit into a command line.
    #[error("its body does not fit into a command line; `--body FILE` writes it to a file that the command names")]
    Body,
}

/// The command. The body is in `file`, if that is named.
///
/// # Errors
/// If there is none that repeats the request.
pub fn command(exchange: &Exchange, file: Option<&str>) -> Result<String, Unrepeatable> {
    let (outline, half) = (&exchange.outline, &exchange.request);
    if outline.method == "CONNECT" || outline.stream.as_deref() == Some("websocket") {
        return Err(Unrepeatable::Tunnel);
    }
    let mut words: Vec<String> = vec!["curl".into(), version(&outline.version, &outline.scheme).into()];
    let data = data(half, file)?;
    match (outline.method.as_str(), &data) {
        ("GET", None) | ("POST", Some(_)) => {}
        ("HEAD", None) => words.push("--head".into()),
        (method, _) => words.push(format!("--request {}", quoted(method))),
    }
    if !outline.path.starts_with('/') {
        // `*`, or what curl would take for something else.
        words.push(format!("--request-target {}", quoted(&outline.path)));
    }
    words.push("--globoff --path-as-is".into());
    words.push(quoted(&outline.url()));
    words.extend(fields(half, &outline.authority, data.is_some()));
    words.extend(data);
    Ok(words.join(" \\\n  ").replacen(" \\\n  ", " ", 1))
}

fn version(version: &str, scheme: &str) -> &'static str {
    match (version, scheme) {
        ("HTTP/1.0", _) => "--http1.0",
        ("HTTP/2", "http") => "--http2-prior-knowledge",
        ("HTTP/2", _) => "--http2",
        _ => "--http1.1",
    }
}

fn fields(half: &Half, authority: &str, has_body: bool) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let is_sent = |field: &&Field| {
        let is_host = field.is("host") && field.value == authority.as_bytes();
        !field.name.starts_with(b":") && !OWN.iter().any(|own| field.is(own)) && !is_host
    };
    let mut words: Vec<String> = Vec::new();
    for field in half.head.iter().filter(is_sent) {
        let (name, value) = (text(&field.name), text(&field.value));
        // curl takes `name:` for "leave it out", and `name;` for an empty value.
        let line = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        words.push(format!("--header {}", quoted(&line)));
    }
    for name in ADDED {
        let is_there = half.head.iter().any(|field| field.is(name));
        if !is_there && (name != "Content-Type" || has_body) {
            words.push(format!("--header '{name}:'"));
        }
    }
    if half.head.iter().any(|field| field.is("accept-encoding")) {
        words.push("--compressed".into());
    }
    words
}

fn data(half: &Half, file: Option<&str>) -> Result<Option<String>, Unrepeatable> {
    let Some(body) = &half.body else { return Ok(None) };
    if body.is_cut || body.is_open {
        return Err(Unrepeatable::Cut);
    }
    if let Some(file) = file {
        return Ok(Some(format!("--data-binary {}", quoted(&format!("@{file}")))));
    }
    let text = std::str::from_utf8(&body.bytes).ok().filter(|text| !text.contains('\0') && text.len() <= MAX_ARGUMENT);
    let text = text.ok_or(Unrepeatable::Body)?;
    // What begins with `@` would be taken for a file's name.
    let option = if text.starts_with('@') { "--data-raw" } else { "--data-binary" };
    Ok(Some(format!("{option} {}", quoted(text))))
}

/// A word of the shell that stands for `text`.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.chars().any(char::is_control) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let escaped = text.chars().fold(String::new(), |mut word, c| {
        match c {
            '\\' | '\'' => word.extend(['\\', c]),
            '\n' => word.push_str("\\n"),
            '\r' => word.push_str("\\r"),
            '\t' => word.push_str("\\t"),
            c if c.is_control() => {
                // Three octal digits: what follows is never taken for part of the number.
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                bytes.for_each(|byte| word.push_str(&format!("\\{byte:03o}")));
            }
            c => word.push(c),
        }
        word
    });
    format!("$'{escaped}'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::record::rows::Content;
    use crate::engine::record::samples::exchange;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (text, word) in [
            ("plain-1.2/x", "plain-1.2/x"),
            ("", "''"),
            ("it's $HOME", r"'it'\''s $HOME'"),
            ("a\nb'\\\x1b7", r"$'a\nb\'\\\0337'"),
            ("größe!", "'größe!'"),
        ] {
            assert_eq!(quoted(text), word);
        }
    }

    #[test]
    fn a_request_becomes_a_command() {
        let line = command(&exchange(), None).unwrap();
        let expect = "curl --http2 \\\n  --globoff --path-as-is \\\n  'https://api.example/v1?q=a%20b&q=2' \\\n  \
             --header 'content-type: application/json' \\\n  --header 'cookie: a=1; b=x=y' \\\n  \
             --header 'User-Agent:' \\\n  --header 'Accept:' \\\n  --data-binary '{\"a\":1}'";
        assert_eq!(line, expect);
    }

    #[test]
    fn what_is_of_the_connection_is_left_out_and_the_rest_keeps_its_order() {
        let mut exchange = exchange();
        let head = [
            ("Host", "api.example"),
            ("X-B", "2"),
            ("Connection", "keep-alive"),
            ("X-A", ""),
            ("Transfer-Encoding", "chunked"),
            ("Accept-Encoding", "gzip"),
            ("User-Agent", "it's"),
            ("accept", "*/*"),
        ];
        exchange.request.head = head.map(|(name, value)| Field::new(name, value)).to_vec();
        exchange.request.body = None;
        exchange.outline.method = "DELETE".into();
        exchange.outline.version = "HTTP/1.1".into();
        let expect = "curl --http1.1 \\\n  --request DELETE \\\n  --globoff --path-as-is \\\n  \
             'https://api.example/v1?q=a%20b&q=2' \\\n  --header 'X-B: 2' \\\n  --header 'X-A;' \\\n  \
             --header 'Accept-Encoding: gzip' \\\n  --header 'User-Agent: it'\\''s' \\\n  --header 'accept: */*' \\\n  \
             --compressed";
        assert_eq!(command(&exchange, None).unwrap(), expect);
    }

    #[test]
    fn what_no_command_can_carry_says_why() {
        let with = |change: &dyn Fn(&mut Exchange)| {
            let mut exchange = exchange();
            change(&mut exchange);
            exchange
        };
        let binary = with(&|exchange| {
            exchange.request.body = Some(Content { bytes: vec![0, 1], ..Content::default() });
        });
        assert_eq!(command(&binary, None), Err(Unrepeatable::Body));
        assert!(command(&binary, Some("a b")).unwrap().ends_with("--data-binary '@a b'"));
        let cut = with(&|exchange| {
            exchange.request.body = Some(Content { is_cut: true, ..Content::default() });
        });
        assert_eq!(command(&cut, None), Err(Unrepeatable::Cut));
        let tunnel = with(&|exchange| exchange.outline.stream = Some("websocket".into()));
        assert_eq!(command(&tunnel, None), Err(Unrepeatable::Tunnel));
        let at = with(&|exchange| {
            exchange.request.body = Some(Content { bytes: b"@x".to_vec(), ..Content::default() });
        });
        assert!(command(&at, None).unwrap().ends_with("--data-raw @x"));
    }
}
