//! Rules as a whole: what a document says, and what becomes of a request.

use super::rule::{Rule, Verdict};
use super::subject::tests::{connection, head};
use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    rule: Vec<Rule>,
}

fn rules(text: &str) -> Rules {
    let document: Document = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    document.rule.into()
}

/// The name of the first rule about a GET of `url`.
fn first(rules: &Rules, url: &str) -> Option<String> {
    let (connection, head) = (connection(), head("GET", url, &[]));
    rules.first(&Subject::new(&head, connection)).map(|(number, _)| rules.name(number))
}

#[test]
fn the_first_rule_that_is_about_a_request_counts() {
    let rules = rules(
        r#"
        [[rule]]
        name = "charges"
        match = { host = "api.stripe.com", path = "/v1/charges/**" }
        verdict = "allow"

        [[rule]]
        name = "stripe"
        match = { host = ["api.stripe.com", "*.stripe.com"] }
        except = { path = "/open" }
        verdict = { block = { status = 402, reason = "no payments" } }

        [[rule]]
        match = { host = "~^[a-z]+[.]stripe[.]com$" }
        verdict = "allow"

        [[rule]]
        match.method = "GET"
        verdict = "block"
        "#,
    );
    for (url, expect) in [
        ("api.stripe.com/v1/charges/ch_1", "charges"),
        ("API.stripe.com./v1/charges/ch_1", "charges"),
        ("api.stripe.com/v1/charges", "stripe"),
        ("api.stripe.com/v1/charges/../refunds", "stripe"),
        ("m.stripe.com/", "stripe"),
        ("m.stripe.com/open", "rule 3"),
        ("a.b.stripe.com/open", "rule 4"),
        ("stripe.com/", "rule 4"),
    ] {
        assert_eq!(first(&rules, url).as_deref(), Some(expect), "{url}");
    }
}

#[test]
fn the_index_leaves_no_rule_out() {
    let hosts = ["a.example", "*.example", "*.a.example", "b.a.example", "~a", "192.0.2.1", "*.com"];
    let mut dice = crate::engine::dice::Dice(3);
    for _ in 0..300 {
        let rule = |n: usize| format!("[[rule]]\nname = '{n}'\nverdict = 'allow'\nmatch.host = ");
        let mut text = String::new();
        for n in 0..6 {
            let (one, other) = (hosts[dice.below(hosts.len())], hosts[dice.below(hosts.len())]);
            text.push_str(&format!("{}['{one}', '{other}']\n", rule(n)));
        }
        let rules = rules(&text);
        for host in ["a.example", "example", "b.a.example", "c.b.a.example", "192.0.2.1", "x.com"] {
            let (connection, head) = (connection(), head("GET", &format!("{host}/"), &[]));
            let subject = Subject::new(&head, connection);
            let expect = rules.all().iter().position(|rule| rule.is_about(&subject));
            assert_eq!(rules.first(&subject).map(|(number, _)| number), expect, "{host} in {text}");
        }
    }
}

#[test]
fn rules_are_handed_over_as_they_are() {
    let rules = rules(
        "[[rule]]\nmatch.host = 'a.example'\nverdict = { block = { status = 451 } }\n[[rule]]\nverdict = 'allow'\n",
    );
    let json = serde_json::to_string(&rules).unwrap();
    let read: Rules = serde_json::from_str(&json).unwrap();
    assert_eq!(read.all(), rules.all(), "{json}");
    assert!(matches!(
        read.first(&Subject::new(&head("GET", "a.example/", &[]), connection())),
        Some((0, Verdict::Block(_)))
    ));
}

#[test]
fn an_explanation_says_what_each_condition_wanted_and_found() {
    let rules = rules(
        "[[rule]]\nmatch = { host = '*.example', method = ['PUT', 'POST'] }\nexcept.path = '/open'\nverdict = 'block'\n",
    );
    let (connection, head) = (connection(), head("POST", "a.example/open", &[]));
    let [explained] = &rules.explain(&Subject::new(&head, connection))[..] else { panic!("one rule") };
    assert_eq!((explained.rule.as_str(), explained.verdict, explained.matched), ("rule 1", "block", false));
    let lines: Vec<String> = explained
        .conditions
        .iter()
        .chain(&explained.except)
        .map(|condition| format!("{} {} {} {}", condition.key, condition.wanted, condition.found, condition.holds))
        .collect();
    assert_eq!(
        lines,
        [r#"host "*.example" a.example true"#, r#"method ["PUT","POST"] POST true"#, r#"path "/open" /open true"#,]
    );
}
