//! Scripts of an exchange and what is reported at its end.

use http::Method;

use super::*;

enum Step {
    Answer(u16),
    Data(Direction, usize),
    Trailers(Direction),
    End(Direction),
    Fail(Direction),
    Drop(Direction),
}
use Direction::{Request, Response};
use Step::{Answer, Data, Drop, End, Fail, Trailers};

fn head() -> RequestHead {
    RequestHead {
        version: "HTTP/2",
        method: Method::POST,
        scheme: "https".into(),
        authority: "h.example".into(),
        path: "/p?q".into(),
        tunnel: None,
        pseudo: Vec::new(),
        content: None,
        fields: Vec::new(),
    }
}

fn run(steps: &[Step]) -> Event {
    let (mut exchange, _) = Exchange::begin(ConnectionId(1), ExchangeId(2), &head());
    let mut halves = [Half::default(), Half::default()];
    for step in steps {
        match *step {
            Answer(status) => exchange.answer(status, &[]),
            Data(to, bytes) => halves[to as usize].data(&vec![b'x'; bytes]).unwrap(),
            Trailers(to) => halves[to as usize].trailers(&[]).unwrap(),
            End(to) => halves[to as usize].end(),
            Fail(to) => halves[to as usize].fail("broke".into()),
            Drop(to) => exchange.settle(to, std::mem::take(&mut halves[to as usize])),
        }
    }
    let finished = exchange.finish().unwrap();
    assert!(exchange.finish().is_none(), "finished twice");
    finished
}

#[test]
fn the_end_says_what_happened() {
    type Case<'a> = (&'a [Step], Option<u16>, u64, u64, Option<&'a str>);
    let table: &[Case] = &[
        (
            &[
                Data(Request, 3),
                End(Request),
                Drop(Request),
                Answer(200),
                Data(Response, 4),
                Data(Response, 1),
                Trailers(Response),
                End(Response),
                Drop(Response),
            ],
            Some(200),
            3,
            5,
            None,
        ),
        (&[Answer(413), Data(Request, 9), Drop(Request), End(Response), Drop(Response)], Some(413), 9, 0, None),
        (&[], None, 0, 0, Some("ended before a response")),
        (&[Data(Request, 1), Fail(Request), Drop(Request)], None, 1, 0, Some("broke")),
        (&[Answer(200), Data(Response, 7), Fail(Response), Drop(Response)], Some(200), 0, 7, Some("broke")),
        (&[Answer(200), Data(Response, 7), Drop(Response)], Some(200), 0, 7, Some("downstream stopped reading")),
        (&[Answer(200), End(Response), Fail(Response), Drop(Response)], Some(200), 0, 0, None),
    ];
    for (number, (steps, status, request, response, error)) in table.iter().enumerate() {
        let Event::ExchangeFinished { status: s, request_bytes, response_bytes, error: e, .. } = run(steps) else {
            panic!("case {number} ended in another event");
        };
        assert_eq!(
            (s, request_bytes, response_bytes, e.as_deref()),
            (*status, *request, *response, *error),
            "{number}"
        );
    }
}

#[test]
fn nothing_follows_trailers_or_the_end() {
    let mut half = Half::default();
    half.trailers(&[]).unwrap();
    assert!(half.data(b"x").is_err());
    assert!(half.trailers(&[]).is_err());
    half.end();
    assert_eq!(half.data(b"x").unwrap_err().to_string(), "data after the end of a message");
}
