//! A path that a rule blocks, written in other ways that servers read as the same.

use crate::bypass::{ENFORCED, Expect, How, Step, Target, Vector, http2, talk};

pub(super) const VECTOR: Vector = Vector {
    id: "rule-spellings",
    what: "a path that a rule blocks, written in other ways: escaped, doubled slashes, `.` and `..`, over HTTP/1.1 and HTTP/2",
    levels: ENFORCED,
    how: How::Inside(attempt),
    expect: |_| Expect::Worker("exchange_refused"),
};

const SPELLINGS: [&str; 6] =
    ["/forbidden/x", "/%66orbidden/x", "//forbidden//x", "/./forbidden/x", "/a/../forbidden/x", "/%2e/%66orbidden/%78"];

fn attempt(target: &Target) -> Vec<Step> {
    // What DNS did not name is refused for that already.
    drop(talk::resolve(target, &target.name));
    let mut steps = Vec::new();
    for path in SPELLINGS {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nX-Token: {}\r\nConnection: close\r\n\r\n",
            target.name, target.token
        );
        let plain = talk::connect(target.v4_at(80)).and_then(|mut stream| talk::exchange(&mut stream, &request));
        steps.push(Step::with(format!("{path} over HTTP/1.1"), plain));
        let fields = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", target.name.as_str()),
            (":path", path),
            ("x-token", &target.token),
        ];
        steps.push(Step::with(format!("{path} over HTTP/2"), http2::https(target, &fields)));
    }
    steps
}
