//! What rules cost: beside the same session without any, turn by turn.

use tests::Lab;

use crate::capture::compare;
use crate::per_second;

/// Hosts that rules name, before the one that is about the requests.
const RULES: usize = 1_000;

/// Requests with so many rules, and with none.
pub(crate) fn costs(lab: &Lab) {
    let rule = |host: &str| format!("[[rule]]\nmatch = {{ host = '{host}', path = '/**' }}\nverdict = 'allow'\n");
    let others: String = (0..RULES).map(|n| rule(&format!("h{n}.example"))).collect();
    let file = lab.scratch.write("rules.toml", others + &rule("origin.test"));
    let plain = || lab.agent().args(&["--no-capture"]);
    let (mut with, mut without) = (plain().args(&["--config", &file]).up(), plain().up());
    for (what, protocol) in [("HTTP/2", "--npn-list=h2"), ("HTTP/1.1", "--h1")] {
        let args = ["h2load", protocol, "-n", "20000", "-c", "20", "https://origin.test/hello"];
        let title = format!("requests per second, {what}, {RULES} rules");
        compare(&title, "  no rules", &mut with, &mut without, &args, per_second);
    }
    with.down();
    without.down();
}
