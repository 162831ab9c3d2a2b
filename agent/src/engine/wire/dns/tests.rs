//! Messages built byte by byte, what is read from them and what an edit makes of them; and bytes that are no messages.

use std::net::IpAddr;

use super::*;
use crate::engine::dice::Dice;

const A: u16 = 1;
const CNAME: u16 = 5;
const MX: u16 = 15;
const OPT: u16 = 41;
const HTTPS: u16 = 65;
/// A pointer to the question's name.
const QNAME: &[u8] = &[0xc0, 12];

fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn record(owner: &[u8], record_type: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [owner, &record_type.to_be_bytes(), &[0, 1, 0, 0, 0, 60], &length.to_be_bytes(), data].concat()
}

/// EDNS options that say `size` and hold one option, number 10.
fn options(size: u16) -> Vec<u8> {
    [&[0, 0, 41][..], &size.to_be_bytes(), &[0, 0, 0x80, 0, 0, 6, 0, 10, 0, 2, 7, 7]].concat()
}

/// A message about `name.test`, of the sections given.
fn message(flags: u16, record_type: u16, sections: [&[Vec<u8>]; 3]) -> Vec<u8> {
    let mut bytes = [&[0x12, 0x34][..], &flags.to_be_bytes(), &[0, 1]].concat();
    for section in sections {
        bytes.extend_from_slice(&u16::try_from(section.len()).unwrap().to_be_bytes());
    }
    bytes.extend_from_slice(&name("name.test"));
    bytes.extend_from_slice(&[record_type.to_be_bytes(), [0, 1]].concat());
    sections.into_iter().flatten().for_each(|record| bytes.extend_from_slice(record));
    bytes
}

fn param(key: u16, value: &[u8]) -> Vec<u8> {
    [&key.to_be_bytes()[..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
}

/// The data of an HTTPS record for the owner itself.
fn service(params: &[Vec<u8>]) -> Vec<u8> {
    [&[0, 1, 0][..], &params.concat()].concat()
}

/// What the client is given whose query `bytes` could be.
fn returned(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    let response = Message::parse(bytes)?;
    response.returned(&response)
}

#[test]
fn a_response_is_read() {
    let hints = service(&[param(4, &[192, 0, 2, 9]), param(6, &[0; 16])]);
    let alias = name("Alias.test");
    let bytes = message(
        0x8183,
        A,
        [
            &[record(QNAME, CNAME, &alias), record(&alias, A, &[192, 0, 2, 1]), record(&alias, HTTPS, &hints)],
            &[],
            &[record(QNAME, A, &[192, 0, 2, 2]), options(4096)],
        ],
    );
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.id(), message.is_response(), message.is_truncated()), (0x1234, true, false));
    assert_eq!(message.rcode().name(), "NXDOMAIN");
    let question = message.question().unwrap();
    assert_eq!((question.name.as_str(), &question.labels[..]), ("name.test", &b"\x04name\x04test"[..]));
    assert_eq!(labels(&question.labels).collect::<Vec<_>>(), [b"name", b"test"]);
    assert_eq!(message.udp_size(), Some(4096));
    assert_eq!(message.records()[1].owner, "alias.test");
    let ips: Vec<IpAddr> = message.addresses().iter().map(|address| address.ip).collect();
    let expect: [IpAddr; 3] = ["192.0.2.1", "192.0.2.9", "::"].map(|ip| ip.parse().unwrap());
    assert_eq!(ips, expect);
}

#[test]
fn names_are_text_that_cannot_mislead() {
    for (bytes, expect) in [
        (&b"\x04NaMe\x04test\x00"[..], Ok("name.test")),
        (b"\x00", Ok(".")),
        (b"\x03a.b\x02\\\x1b\x00", Ok("a\\.b.\\\\\\027")),
        (b"\x05name", Err("it ends within a name")),
        (b"\xc0\x0c", Err("a name points forward")),
        (b"\x01a\xc0\x0c", Err("a name points forward")),
        (b"\xc0\x00", Err("a name points forward")),
        (b"\xc0", Err("it ends within a field")),
        (b"\x40a\x00", Err("a label of unknown kind")),
        (b"", Err("it ends within a name")),
    ] {
        let message = [&[0; HEADER], bytes].concat();
        let read = name::Name::read(&message, HEADER).map(|name| name.text);
        assert_eq!(read, expect.map(str::to_owned).map_err(Malformed), "{bytes:?}");
    }
    let long = [&[0; HEADER][..], &[63; 64].repeat(4), &[0]].concat();
    assert_eq!(name::Name::read(&long, HEADER), Err(Malformed("a name is too long")));
}

#[test]
fn two_names_that_point_at_each_other_end() {
    let mut bytes = vec![0; HEADER];
    bytes.extend_from_slice(b"\x01a\xc0\x10\x01b\xc0\x0c");
    assert_eq!(name::Name::read(&bytes, 16), Err(Malformed("a name points forward")));
}

#[test]
fn what_is_no_message_is_refused() {
    let good = message(0, A, [&[], &[], &[options(1232)]]);
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    for (bytes, expect) in [
        (with(5, 2), "more than one question"),
        (with(7, 1), "it ends within a name"),
        (with(11, 0), "bytes behind the last record"),
        ([&good[..], &[0]].concat(), "bytes behind the last record"),
        (message(0, A, [&[], &[], &[options(512), options(512)]]), "more than one set of EDNS options"),
    ] {
        assert_eq!(Message::parse(&bytes).unwrap_err(), Malformed(expect));
    }
}

#[test]
fn a_response_belongs_to_its_query_only() {
    let query = message(0x0100, A, [&[], &[], &[]]);
    let query = Message::parse(&query).unwrap();
    let upper = |mut bytes: Vec<u8>| {
        bytes[13..17].make_ascii_uppercase();
        bytes
    };
    let bare = |flags: u16| [&[0x12, 0x34][..], &flags.to_be_bytes(), &[0; 8]].concat();
    for (what, response, expect) in [
        ("the same", message(0x8180, A, [&[], &[], &[]]), true),
        ("in other letters", upper(message(0x8180, A, [&[], &[], &[]])), true),
        ("no response", message(0x0100, A, [&[], &[], &[]]), false),
        ("another type", message(0x8180, MX, [&[], &[], &[]]), false),
        ("a failure without question", bare(0x8181), true),
        ("a success without question", bare(0x8180), false),
    ] {
        assert_eq!(Message::parse(&response).unwrap().answers(&query), expect, "{what}");
    }
}

#[test]
fn parameters_that_lead_around_the_proxy_are_removed() {
    let (ech, port) = (param(5, b"\x00\x04secret"), param(3, &[1, 187]));
    for (what, before, after) in [
        ("ech", vec![ech.clone()], vec![]),
        ("h3 among others", vec![param(1, b"\x02h3\x02h2\x05h3-29")], vec![param(1, b"\x02h2")]),
        ("h3 alone", vec![param(1, b"\x02h3"), param(2, b""), port.clone()], vec![port.clone()]),
        (
            "nothing",
            vec![param(1, b"\x02h2"), param(2, b""), port.clone()],
            vec![param(1, b"\x02h2"), param(2, b""), port.clone()],
        ),
        (
            "a mandatory one",
            vec![param(0, &[0, 3, 0, 5]), port.clone(), ech.clone()],
            vec![param(0, &[0, 3]), port.clone()],
        ),
        ("all mandatory ones", vec![param(0, &[0, 5]), ech.clone()], vec![]),
        ("unknown ones stay", vec![ech.clone(), param(65000, b"x")], vec![param(65000, b"x")]),
    ] {
        let answer = |params: &[Vec<u8>]| message(0x8180, HTTPS, [&[record(QNAME, HTTPS, &service(params))], &[], &[]]);
        assert_eq!(returned(&answer(&before)), Ok(answer(&after)), "{what}");
    }
}

#[test]
fn parameters_that_cannot_be_read_do_not_pass() {
    for (what, params) in [
        ("out of order", vec![param(5, b"a"), param(1, b"\x02h2")]),
        ("twice", vec![param(5, b"a"), param(5, b"b")]),
        ("a list that ends within an entry", vec![param(1, b"\x03h2")]),
        ("half a key", vec![param(0, &[0, 5, 0]), param(5, b"a")]),
        ("outside the record", vec![vec![0, 5, 0, 200]]),
    ] {
        let bytes = message(0x8180, HTTPS, [&[record(QNAME, HTTPS, &service(&params))], &[], &[]]);
        assert!(returned(&bytes).is_err(), "{what}");
    }
}

#[test]
fn names_that_point_behind_a_removed_parameter_still_mean_the_same() {
    let ech = param(5, b"twelve bytes");
    // Question: 12 to 27. HTTPS record: 2 + 10 + 3 bytes and its parameters. The CNAME's data follows 12 bytes later.
    let response = |params: &[Vec<u8>]| {
        let https = record(QNAME, HTTPS, &service(params));
        let cname = record(QNAME, CNAME, &name("alias.test"));
        let target = 27 + https.len() + 12;
        let pointer = (0xc000 | u16::try_from(target).unwrap()).to_be_bytes();
        let a = record(&pointer, A, &[192, 0, 2, 1]);
        let mx = record(&pointer, MX, &[&[0, 5][..], &pointer].concat());
        message(0x8180, HTTPS, [&[https, cname, a], &[mx], &[options(1232)]])
    };
    let (before, after) = (response(&[ech]), response(&[]));
    assert_eq!(Message::parse(&before).unwrap().records()[2].owner, "alias.test");
    assert_eq!(returned(&before), Ok(after));
}

#[test]
fn a_name_within_a_removed_parameter_is_refused() {
    let https = record(QNAME, HTTPS, &service(&[param(5, b"\x01a\x00")]));
    let into_ech = [0xc0, u8::try_from(27 + https.len() - 3).unwrap()];
    let bytes = message(0x8180, HTTPS, [&[https, record(&into_ech, A, &[1, 2, 3, 4])], &[], &[]]);
    assert_eq!(returned(&bytes), Err(Malformed("a name points into a parameter")));
}

#[test]
fn only_number_and_size_change_where_nothing_must() {
    let unknown = [record(QNAME, 65280, &[0xff; 9])];
    let bytes = |size| message(0x81a0, A, [&[record(QNAME, A, &[1, 2, 3, 4])], &unknown, &[options(size)]]);
    assert_eq!(returned(&bytes(1232)), Ok(bytes(1232)));
    assert_eq!(returned(&bytes(4096)), Ok(bytes(1232)));
    let forwarded = Message::parse(&bytes(4096)).unwrap().forwarded(0xabcd);
    assert_eq!(forwarded[..2], [0xab, 0xcd]);
    assert_eq!(forwarded[2..], bytes(1232)[2..]);
    let changed = message(0x81a0, HTTPS, [&[record(QNAME, HTTPS, &service(&[param(5, b"")]))], &[], &[]]);
    assert_eq!(returned(&changed).unwrap()[2..4], [0x81, 0x80], "it is no longer what was signed");
}

#[test]
fn a_bare_query_has_the_question_and_nothing_else() {
    let bare_options = vec![0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];
    let plain = message(0x0100, A, [&[], &[], &[]]);
    let with_edns = message(0x0100, A, [&[], &[], &[bare_options]]);
    let mut upper = plain.clone();
    upper[13..16].make_ascii_uppercase();
    for (what, query, expect) in [
        ("as it should be", &plain, &plain),
        ("in other letters", &upper, &plain),
        ("with all flags", &message(0x07ff, A, [&[], &[], &[]]), &plain),
        ("with records", &message(0x0100, A, [&[record(QNAME, A, &[9; 4])], &[], &[]]), &plain),
        ("with an option", &message(0x0100, A, [&[], &[], &[options(4096)]]), &with_edns),
        ("without recursion", &message(0, MX, [&[], &[], &[]]), &message(0, MX, [&[], &[], &[]])),
    ] {
        assert_eq!(Message::parse(query).unwrap().forwarded_bare(0x1234), *expect, "{what}");
    }
}

#[test]
fn a_response_is_in_the_letters_of_its_query() {
    let response = message(0x8180, A, [&[record(QNAME, A, &[1, 2, 3, 4])], &[], &[]]);
    let mut query = message(0x0100, A, [&[], &[], &[]]);
    query[..2].copy_from_slice(&[7, 8]);
    query[13..15].copy_from_slice(b"NA");
    let returned = Message::parse(&response).unwrap().returned(&Message::parse(&query).unwrap()).unwrap();
    assert_eq!((&returned[..2], &returned[12..27]), (&[7, 8][..], &query[12..27]));
    assert_eq!((&returned[2..12], &returned[27..]), (&response[2..12], &response[27..]));
    let other = message(0x0100, MX, [&[], &[], &[]]);
    let returned = Message::parse(&response).unwrap().returned(&Message::parse(&other).unwrap()).unwrap();
    assert_eq!(returned, response, "another question is left alone");
}

#[test]
fn a_response_is_cut_to_fit() {
    let addresses = |count: usize| vec![record(QNAME, A, &[192, 0, 2, 1]); count];
    let big = message(0x8180, A, [&addresses(60), &addresses(2), &[record(QNAME, A, &[0; 4]), options(1232)]]);
    let counts = |bytes: &[u8]| [6, 8, 10].map(|at| u16_at(bytes, at).unwrap());
    for (what, bytes, udp_size, expect, truncated) in [
        ("without EDNS", &big, None, [29, 0, 1], true),
        ("less than the least", &big, Some(100), [29, 0, 1], true),
        ("more than the most", &big, Some(4096), [60, 2, 2], false),
        ("without what only helps", &big, Some(1040), [60, 2, 1], false),
        ("in between", &big, Some(1000), [59, 0, 1], true),
    ] {
        let fitted = fit(bytes.clone(), udp_size);
        let message = Message::parse(&fitted).unwrap();
        assert_eq!((counts(&fitted), message.is_truncated()), (expect, truncated), "{what}");
        assert!(fitted.len() <= usize::from(udp_size.unwrap_or(512).clamp(512, 1232)), "{what}");
        assert_eq!(message.udp_size(), Some(1232), "{what}");
    }
    let small = message(0x8180, A, [&addresses(1), &[], &[]]);
    assert_eq!(fit(small.clone(), None), small);
}

#[test]
fn no_response_exceeds_what_it_is_cut_to() {
    let mut dice = Dice(1);
    for _ in 0..500 {
        let records = |dice: &mut Dice| -> Vec<Vec<u8>> {
            (0..dice.below(12)).map(|_| record(QNAME, 16, &dice.bytes(300))).collect()
        };
        let mut sections = [(); 3].map(|()| records(&mut dice));
        if dice.below(2) == 0 {
            let at = dice.below(1 + sections[2].len());
            sections[2].insert(at, record(b"\0", OPT, &dice.bytes(1500)));
        }
        let whole = message(0x8180, A, sections.each_ref().map(Vec::as_slice));
        for size in [None, Some(0), Some(700), Some(u16::MAX)] {
            let fitted = fit(whole.clone(), size);
            assert!(fitted.len() <= usize::from(size.unwrap_or_default().clamp(512, 1232)), "{} bytes", fitted.len());
            let (fitted, whole) = (Message::parse(&fitted).unwrap(), Message::parse(&whole).unwrap());
            assert_eq!((fitted.question(), fitted.udp_size()), (whole.question(), whole.udp_size()));
        }
    }
}

#[test]
fn options_have_no_name() {
    for owner in [QNAME, b"\x01a\0", &[0xc0, 21]] {
        assert!(Message::parse(&message(0x8180, A, [&[], &[], &[record(owner, OPT, &[])]])).is_err(), "{owner:x?}");
    }
}

#[test]
fn refusals_repeat_what_was_asked() {
    let query = message(0x0110, A, [&[], &[], &[options(4096)]]);
    let response = refusal(&query, Rcode::SERVFAIL, None).unwrap();
    let parsed = Message::parse(&response).unwrap();
    assert!(parsed.answers(&Message::parse(&query).unwrap()));
    assert_eq!((parsed.rcode(), parsed.udp_size(), u16_at(&response, 2)), (Rcode::SERVFAIL, Some(1232), Ok(0x8192)));
    assert_eq!(refusal(&query[..20], Rcode::FORMERR, None).unwrap(), b"\x12\x34\x81\x91\0\0\0\0\0\0\0\0");
    assert_eq!(refusal(&query[..HEADER - 1], Rcode::FORMERR, None), None);
    let no_query = message(0x8180, A, [&[], &[], &[]]);
    assert_eq!(refusal(&no_query, Rcode::FORMERR, None), None, "a response is not answered");
}

#[test]
fn a_refusal_says_that_it_is_one_to_a_client_with_edns() {
    for (additional, expect) in [(vec![options(1232)], &b"\0\x0f\0\x06\0\x0frate"[..]), (vec![], b"")] {
        let query = message(0x0100, A, [&[], &[], &additional]);
        let plain = refusal(&query, Rcode::REFUSED, None).unwrap();
        let blocked = refusal(&query, Rcode::REFUSED, Some("rate")).unwrap();
        Message::parse(&blocked).unwrap();
        assert_eq!(blocked[plain.len()..], *expect);
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mandatory = param(0, &[0, 1, 0, 5]);
    let params = [mandatory, param(1, b"\x02h3\x02h2"), param(4, &[1, 2, 3, 4]), param(5, b"ech")];
    let whole = message(
        0x8180,
        HTTPS,
        [
            &[record(QNAME, HTTPS, &service(&params)), record(QNAME, CNAME, &name("a.test"))],
            &[record(QNAME, MX, &[0, 5, 0xc0, 12]), record(QNAME, 6, &[0; 22])],
            &[options(4096)],
        ],
    );
    let exercise = |bytes: &[u8]| {
        _ = refusal(bytes, Rcode::REFUSED, Some("rate"));
        _ = fit(bytes.to_vec(), None);
        if let Ok(message) = Message::parse(bytes) {
            _ = (message.addresses(), message.forwarded(1), message.rcode());
            Message::parse(&message.forwarded_bare(1)).unwrap();
            if let Ok(returned) = message.returned(&message) {
                Message::parse(&returned).unwrap();
            }
        }
    };
    assert!(returned(&whole).is_ok());
    (0..whole.len()).for_each(|end| exercise(&whole[..end]));
    for at in 0..whole.len() {
        for value in 0..=255 {
            let mut bytes = whole.clone();
            bytes[at] = value;
            exercise(&bytes);
        }
    }
}

#[test]
fn record_types_have_names() {
    for (number, expect) in [(1, "A"), (10, "NULL"), (65, "HTTPS"), (OPT, "TYPE41"), (65535, "TYPE65535")] {
        assert_eq!(record_type_name(number), expect);
    }
    assert_eq!(Rcode(16).name(), "RCODE16");
}
