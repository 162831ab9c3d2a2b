//! Queries against the policy, with a clock that the test moves.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::*;

const A: u16 = 1;
const AAAA: u16 = 28;
const HTTPS: u16 = 65;
const TRANSFERS: [u16; 2] = [251, 252];
const IN: u16 = 1;
const MINUTE: Duration = Duration::from_secs(60);

/// A name as a message has it, from text without escapes.
fn labels_of(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    labels.flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat()).collect()
}

fn query(name: &str, record_type: u16, class: u16) -> Vec<u8> {
    let header = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0";
    [&header[..], &labels_of(name), &[0], &record_type.to_be_bytes(), &class.to_be_bytes()].concat()
}

/// A policy and a clock.
struct Session {
    policy: QueryPolicy,
    start: Instant,
    now: Instant,
}

impl Session {
    fn new(mode: Mode) -> Self {
        let start = Instant::now();
        Self { policy: QueryPolicy::new(mode, start), start, now: start }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    fn minutes(&self) -> f64 {
        (self.now - self.start).as_secs_f64() / 60.0
    }

    fn judge(&mut self, name: &str, record_type: u16, class: u16) -> Result<(), Refusal> {
        let query = query(name, record_type, class);
        self.policy.permit(&Message::parse(&query).unwrap(), self.now).map(|_| ())
    }

    /// Asks at once.
    fn ask(&mut self, name: &str) -> Result<(), Refusal> {
        self.judge(name, A, IN)
    }

    /// Asks so much later that the rate does not matter.
    fn ask_next(&mut self, name: &str) -> Result<(), Refusal> {
        self.wait(RATE.each);
        self.ask(name)
    }
}

/// The name of this number, of `length` bytes in all.
fn numbered(number: usize, length: usize, domain: &str) -> String {
    format!("{number:0width$}.{domain}", width = length - domain.len() - 1)
}

#[test]
fn questions_that_look_for_somebody_pass() {
    let name_of_160 = format!("{}.test", ["a".repeat(38).as_str(); 4].join("."));
    assert_eq!(name_of_160.len(), 160);
    let too_long = format!("a{name_of_160}");
    let one_label = |label: &str| format!("{label}.origin.test");
    let mut table: Vec<(String, u16, u16, Option<Refusal>)> = Vec::new();
    for record_type in [1, 2, 5, 6, 12, 15, 28, 33, 64, 65] {
        table.push(("origin.test".to_owned(), record_type, IN, None));
    }
    // NULL, TXT, KEY, DNSKEY, ANY, and a private type.
    for record_type in [0, 10, 16, 25, 48, 255, 65280] {
        table.push(("origin.test".to_owned(), record_type, IN, Some(Refusal::RecordType)));
    }
    for class in [0, 3, 4, 254, 255] {
        table.push(("origin.test".to_owned(), A, class, Some(Refusal::Class)));
    }
    for (name, expect) in [
        (String::new(), None),
        ("localhost".to_owned(), None),
        (name_of_160, None),
        (too_long, Some(Refusal::NameLength)),
        // A UUID, SHA-1 and SHA-224 in hexadecimal, words, an address in reverse.
        (one_label("123e4567-e89b-12d3-a456-426614174000"), None),
        (one_label("da39a3ee5e6b4b0d3255bfef95601890afd80709"), None),
        (one_label("d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f"), None),
        (one_label("my-application-load-balancer-in-production-eu"), None),
        ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa".to_owned(), None),
        // Base32 of 41 bytes and of 40, base36, base64 for URLs.
        (one_label("mfzwizlsnfxgoidbebwg64tfnu5hg2dpojsq4ytvo"), Some(Refusal::LabelEntropy)),
        (one_label("MFZWIZLSNFXGOIDBEBWG64TFNU5HG2DPOJSQ4YTVO"), Some(Refusal::LabelEntropy)),
        (one_label("mfzwizlsnfxgoidbebwg64tfnu5hg2dpojsq4ytv"), None),
        (one_label("3w5e11264sg0x7kq9zfb2vhn8tpy4mujcrodlai6350zq"), Some(Refusal::LabelEntropy)),
        (one_label("aGVyZSBpcyB0aGUgc2VjcmV0IHlvdSB3YW50ZWQgMTIz"), Some(Refusal::LabelEntropy)),
    ] {
        table.push((name, A, IN, expect));
    }
    for (name, record_type, class, expect) in table {
        let (mut enforce, mut observe) = (Session::new(Mode::Enforce), Session::new(Mode::Observe));
        assert_eq!(enforce.judge(&name, record_type, class).err(), expect, "{name} {record_type} {class}");
        assert_eq!(observe.judge(&name, record_type, class), Ok(()), "{name} {record_type} {class}");
    }
}

#[test]
fn a_label_of_other_bytes_than_text_is_judged_by_its_bytes() {
    let mut query = query(&format!("{}.test", "a".repeat(41)), A, IN);
    (0x80..0x80 + 35).zip(&mut query[13..]).for_each(|(byte, place)| *place = byte);
    let message = Message::parse(&query).unwrap();
    // As text it is digits and backslashes, which say little each.
    assert!(message.question().unwrap().name.starts_with("\\128\\129"));
    let refused = QueryPolicy::new(Mode::Enforce, Instant::now()).permit(&message, Instant::now());
    assert_eq!(refused.err(), Some(Refusal::LabelEntropy));
}

#[test]
fn zone_transfers_do_not_pass_in_either_mode() {
    for mode in [Mode::Observe, Mode::Enforce] {
        for record_type in TRANSFERS {
            assert_eq!(Session::new(mode).judge("origin.test", record_type, IN), Err(Refusal::ZoneTransfer));
        }
    }
}

#[test]
fn a_message_without_a_question_does_not_pass() {
    let bytes = b"\x12\x34\x01\0\0\0\0\0\0\0\0\0";
    let message = Message::parse(bytes).unwrap();
    let refused = QueryPolicy::new(Mode::Observe, Instant::now()).permit(&message, Instant::now());
    assert_eq!(refused.err(), Some(Refusal::Malformed));
}

#[test]
fn what_goes_to_a_resolver_is_what_was_judged() {
    let mut query = query("Origin.test", A, IN);
    // Its sender sees further in the dark: a flag without a meaning.
    query[3] |= 0x40;
    let message = Message::parse(&query).unwrap();
    let forwarded =
        |mode| QueryPolicy::new(mode, Instant::now()).permit(&message, Instant::now()).unwrap().forwarded(7);
    let mut whole = query.clone();
    whole[..2].copy_from_slice(&[0, 7]);
    assert_eq!(forwarded(Mode::Observe), whole);
    whole[3] = 0;
    assert_eq!(forwarded(Mode::Enforce), whole.to_ascii_lowercase());
}

#[test]
fn a_large_response_does_not_pass() {
    let query = query("origin.test", A, IN);
    let message = Message::parse(&query).unwrap();
    for (mode, size, expect) in
        [(Mode::Enforce, 2048, Ok(())), (Mode::Enforce, 2049, Err(Refusal::AnswerSize)), (Mode::Observe, 65535, Ok(()))]
    {
        let permit = QueryPolicy::new(mode, Instant::now()).permit(&message, Instant::now()).unwrap();
        assert_eq!(permit.admit(&vec![0; size]), expect, "{mode:?} {size}");
    }
}

#[test]
fn two_hundred_queries_pass_at_once_and_fifty_a_second() {
    for (mode, expect) in [(Mode::Enforce, [200, 50, 200]), (Mode::Observe, [1000; 3])] {
        let mut session = Session::new(mode);
        let passed = [0, 1, 3600].map(|seconds| {
            session.wait(Duration::from_secs(seconds));
            (0..1000).filter(|_| session.ask("origin.test").is_ok()).count()
        });
        assert_eq!(passed, expect, "{mode:?}");
    }
}

#[test]
fn a_refused_query_does_not_count_against_the_rate_unless_it_might_have_passed() {
    let mut session = Session::new(Mode::Enforce);
    for _ in 0..1000 {
        assert_eq!(session.judge("origin.test", 16, IN), Err(Refusal::RecordType));
    }
    assert_eq!(session.ask("origin.test"), Ok(()));
}

#[test]
fn a_browser_on_a_large_network_of_servers_passes() {
    let mut session = Session::new(Mode::Enforce);
    let mut ask = |number, every| {
        for record_type in [A, AAAA, HTTPS] {
            let name = numbered(number, 40, "amazonaws.com");
            assert_eq!(session.judge(&name, record_type, IN), Ok(()), "{number}");
            session.wait(every);
        }
    };
    (0..200).for_each(|number| ask(number, MINUTE / 600));
    // For a day.
    (200..200 + 20 * 60 * 24).for_each(|number| ask(number, MINUTE / 60));
}

#[test]
fn many_sites_pass() {
    let mut session = Session::new(Mode::Enforce);
    for number in 0..120 * 60 {
        for name in [numbered(number, 12, "test"), numbered(number, 12, "co.uk")] {
            assert_eq!(session.ask(&format!("www.{name}")), Ok(()), "{number}");
        }
        session.wait(MINUTE / 60);
    }
}

#[test]
fn one_name_passes_however_often_it_is_asked_for() {
    let mut session = Session::new(Mode::Enforce);
    for _ in 0..50 * 60 * 60 / 2 {
        for record_type in [A, AAAA] {
            session.wait(RATE.each);
            assert_eq!(session.judge("api.origin.test", record_type, IN), Ok(()));
        }
    }
}

/// A sender that says something in each name that passes.
struct Tunnel {
    what: &'static str,
    name: fn(usize) -> String,
    /// Bits that each name says.
    says: u32,
    /// Bits a second that come back.
    limit: u32,
}

impl Tunnel {
    /// Asks as fast as the rate allows for so many minutes, from this name on; how many were asked for, and passed.
    fn send(&self, session: &mut Session, from: usize, minutes: u32) -> (usize, u32) {
        let names = usize::try_from(MINUTE.as_millis() / RATE.each.as_millis()).unwrap() * minutes as usize;
        let passed = (from..from + names).filter(|number| session.ask_next(&(self.name)(*number)).is_ok()).count();
        (names, u32::try_from(passed).unwrap())
    }
}

#[test]
fn a_tunnel_gets_what_comes_back_and_no_more() {
    for tunnel in [
        Tunnel { what: "long names", name: |n| numbered(n, 38, "evil.test"), says: 8 * 29, limit: 80 },
        Tunnel { what: "short names", name: |n| format!("{n:05x}.evil.test"), says: 8 * 6, limit: 80 },
        Tunnel { what: "names used again", name: |n| format!("{}.evil.test", n * 97 % 256), says: 8, limit: 80 },
        Tunnel { what: "a short domain", name: |n| numbered(n, 38, "t.co"), says: 8 * 34, limit: 80 },
        Tunnel { what: "below it", name: |n| format!("www.{}", numbered(n, 38, "t.co")), says: 8 * 34, limit: 80 },
        Tunnel { what: "domains", name: |n| format!("www.{}", numbered(n, 20, "test")), says: 8 * 24, limit: 400 },
        Tunnel { what: "domains used again", name: |n| format!("{n}.{}.test", n % 499), says: 8 * 2, limit: 400 },
    ] {
        let mut session = Session::new(Mode::Enforce);
        let (asked, at_first) = tunnel.send(&mut session, 0, 30);
        let (asked, later) = tunnel.send(&mut session, asked, 10);
        let Tunnel { what, says, limit, .. } = tunnel;
        assert!(later * says <= limit * 600 + says, "{what}: {later} names");
        assert!(later > 0 && at_first > 3 * later && asked > later as usize, "{what}: {at_first}, then {later}");
    }
}

#[test]
fn a_domain_is_forgotten_only_when_that_gives_nothing_back() {
    let mut session = Session::new(Mode::Enforce);
    let drain = |session: &mut Session, from: usize| {
        (from..from + 300).filter(|number| session.ask_next(&numbered(*number, 60, "evil.test")).is_ok()).count()
    };
    let at_first = drain(&mut session, 0);
    assert!(at_first > 50, "{at_first}");
    let others = (0..600).filter(|number| session.ask_next(&numbered(*number, 12, "test")).is_ok()).count();
    assert_eq!(others, 600, "more than are remembered");
    let after = drain(&mut session, 1000);
    assert!(after * 10 < at_first, "{after} of {at_first} within half a minute");
    session.wait(20 * MINUTE);
    assert!(drain(&mut session, 2000) >= at_first, "its budget comes back by itself");
}

#[test]
fn the_parent_of_a_name_is_its_last_two_labels_or_three() {
    for (name, expect) in [
        ("", ""),
        ("localhost", "localhost"),
        ("origin.test", "origin.test"),
        ("www.origin.test", "origin.test"),
        ("a.b.c.origin.test", "origin.test"),
        ("co.uk", "co.uk"),
        ("origin.co.uk", "origin.co.uk"),
        ("www.origin.co.uk", "origin.co.uk"),
        ("a.www.origin.co.uk", "origin.co.uk"),
        ("www.origin.uk", "origin.uk"),
        ("www.origin.com.au", "origin.com.au"),
        ("www.goog.le", "goog.le"),
        ("a.b.abc.test", "abc.test"),
        ("4.3.2.1.in-addr.arpa", "in-addr.arpa"),
    ] {
        assert_eq!(parent(&labels_of(name)), labels_of(expect), "{name}");
    }
}

/// Numbers that look random and are the same every time (xorshift).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % limit
    }

    fn label(&mut self) -> String {
        let length = 1 + self.below(30);
        (0..length).map(|_| char::from(b'a' + u8::try_from(self.below(26)).unwrap())).collect()
    }

    /// A new name in one of few domains or in a new one, or one of `old`.
    fn name(&mut self, old: &[String]) -> String {
        let domain = match self.below(10) {
            0 if !old.is_empty() => return old[usize::try_from(self.below(old.len() as u64)).unwrap()].clone(),
            0..=3 => "evil.test".to_owned(),
            4 => "abc.io".to_owned(),
            5 => "evil.co.uk".to_owned(),
            6 => "other.test".to_owned(),
            _ => format!("{}.test", self.label()),
        };
        let below: Vec<String> = (0..self.below(4)).map(|_| self.label()).collect();
        below.into_iter().chain([domain]).collect::<Vec<_>>().join(".")
    }

    /// Mostly nothing or little; sometimes minutes.
    fn pause(&mut self) -> Duration {
        match self.below(1000) {
            0 => MINUTE * u32::try_from(self.below(5)).unwrap(),
            _ => Duration::from_millis(self.below(40)),
        }
    }
}

/// What names that passed have said, counted without the policy's means: by domain all that are different, and their
/// bytes; and all bytes.
#[derive(Default)]
struct Said {
    domains: HashMap<String, (HashSet<String>, usize)>,
    bytes: usize,
}

impl Said {
    /// The domains that `name` belongs to.
    fn note(&mut self, name: &str) -> [String; 2] {
        let labels: Vec<&str> = name.split('.').collect();
        let last = |count: usize| labels[labels.len().saturating_sub(count)..].join(".");
        let shared = last(2);
        let parent = if matches!(shared.as_str(), "abc.io" | "co.uk") { last(3) } else { shared.clone() };
        for (domain, name) in [(parent.as_str(), name), (&shared, &parent), ("", &shared)] {
            let (names, bytes) = self.domains.entry(domain.to_owned()).or_default();
            if names.insert(name.to_owned()) {
                *bytes += name.len() - domain.len();
                self.bytes += name.len() - domain.len();
            }
        }
        [parent, shared]
    }
}

#[test]
fn whatever_is_asked_no_domain_says_more_than_its_budget() {
    for seed in 1..=8 {
        let (mut session, mut dice) = (Session::new(Mode::Enforce), Dice::new(seed));
        let (mut said, mut passed, mut refused) = (Said::default(), Vec::new(), 0);
        for _ in 0..20_000 {
            session.wait(dice.pause());
            let name = dice.name(&passed);
            if session.ask(&name).is_err() {
                refused += 1;
                continue;
            }
            let within = |bytes: usize, at_once: f64, a_minute: f64| {
                f64::from(u32::try_from(bytes).unwrap()) <= at_once + a_minute * session.minutes()
            };
            for domain in said.note(&name) {
                let bytes = said.domains[&domain].1;
                assert!(within(bytes, 8192.0, 600.0), "seed {seed}: {domain} said {bytes}");
            }
            assert!(within(said.bytes, 65536.0, 3000.0), "seed {seed}: all said {}", said.bytes);
            passed.push(name);
        }
        let evil = said.domains["evil.test"].1;
        assert!(refused > 1000 && evil > 8192, "seed {seed}: {refused} were refused, {evil} bytes were said");
    }
}
