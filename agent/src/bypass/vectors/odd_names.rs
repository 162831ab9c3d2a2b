//! Names that two readers may read as two hosts.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "odd-names",
    what: "Host with a trailing dot, NUL, userinfo, upper case, punycode, twice, empty; URIs that disagree with it",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Any(&[Expect::Intercepted, Expect::Worker("message_refused")]),
};

fn attempt(target: &Target) -> Vec<Step> {
    let (name, token) = (&target.name, &target.token);
    let hosts = [
        format!("{name}."),
        format!("other.test\0.{name}"),
        format!("user@{name}"),
        format!("other.test:80@{name}"),
        name.to_uppercase(),
        format!("xn--bcher-kva.{name}"),
        format!("b\u{fc}cher.{name}"),
        format!("{name}/other"),
        format!("{name}, other.test"),
        format!("{name}\r\nHost: other.test"),
        format!("{name}\r\nX-Forwarded-Host: other.test"),
        "[::1]".into(),
        String::new(),
    ];
    let requests = hosts.iter().map(|host| (format!("Host: {}", host.escape_debug()), talk::request(target, host)));
    let uris = ["http://other.test/", "http://user@other.test:81/", "//other.test/", "https://other.test/", "*/"];
    let absolute = uris
        .into_iter()
        .map(|uri| (uri.to_owned(), format!("GET {uri}{token} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n")));
    let say = |(what, request): (String, String)| {
        let said = talk::connect(target.v4_at(80)).and_then(|mut stream| talk::exchange(&mut stream, &request));
        Step::with(what, said)
    };
    requests.chain(absolute).map(say).collect()
}
