//! Tests of bodies for people.

use super::*;
use crate::engine::dice::Dice;

fn told(content_type: &str, bytes: &[u8]) -> (Form, String) {
    let Presented { form, text } = present((!content_type.is_empty()).then_some(content_type), bytes);
    (form, text)
}

#[test]
fn bodies_are_told_by_type_and_by_looks() {
    for (content_type, body, form, text) in [
        ("", &b""[..], Form::Empty, ""),
        (
            "application/json",
            b"{\"b\":1,\"a\":[1.0,-2e5,{}],\"b\":[ ]}",
            Form::Json,
            "{\n  \"b\": 1,\n  \"a\": [\n    1.0,\n    -2e5,\n    {}\n  ],\n  \"b\": []\n}",
        ),
        ("", b" {\"a\" : \"b,:[\\\"\\\\\" } ", Form::Json, "{\n  \"a\": \"b,:[\\\"\\\\\"\n}"),
        (
            "application/problem+json; charset=utf-8",
            b"\xef\xbb\xbf12345678901234567890.10",
            Form::Json,
            "12345678901234567890.10",
        ),
        ("application/json", b"{\"cut", Form::Text, "{\"cut"),
        ("text/plain", b"5", Form::Text, "5"),
        ("application/x-ndjson", b"{\"a\":1}\n\n[]\n", Form::JsonLines, "{\n  \"a\": 1\n}\n[]"),
        ("application/x-ndjson", b"{\"a\":1}\n{", Form::Text, "{\"a\":1}\n{"),
        (
            "application/x-www-form-urlencoded",
            b"a=b+c%20%C3%BC&d&e=f=g&%zz=%4",
            Form::Form,
            "a = b c ü\nd = \ne = f=g\n%zz = %4",
        ),
        ("text/html", b"<p>\xe9\r\n\x1b[1m", Form::Text, "<p>é\n\\u{1b}[1m"),
        ("text/plain; charset=utf-8", "\u{feff}ü\u{9b}".as_bytes(), Form::Text, "ü\\u{9b}"),
        ("text/plain; charset=\"utf-16\"", b"\xff\xfea\0b\0", Form::Text, "ab"),
        ("image/svg+xml", b"<svg/>", Form::Text, "<svg/>"),
        ("", b"plain", Form::Text, "plain"),
        ("", b"\0\xff", Form::Bytes, "00000000  00 ff                                             |..|\n"),
        (
            "",
            b"abcdefghijklmnopq\0",
            Form::Bytes,
            "00000000  61 62 63 64 65 66 67 68  69 6a 6b 6c 6d 6e 6f 70  |abcdefghijklmnop|\n00000010  71 00                                             |q.|\n",
        ),
    ] {
        assert_eq!(told(content_type, body), (form, text.to_owned()), "{content_type} {}", body.escape_ascii());
    }
}

#[test]
fn images_have_a_format_and_a_size() {
    for (body, expect) in [
        (
            &b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06"[..],
            "PNG image, 640 × 480 pixels, 26 bytes",
        ),
        (b"GIF89a\x80\x02\xe0\x01\0", "GIF image, 640 × 480 pixels, 11 bytes"),
        (b"\xff\xd8\xff\xe0\0\x04JF\xff\xc0\0\x11\x08\x01\xe0\x02\x80\x03", "JPEG image, 640 × 480 pixels, 18 bytes"),
        (
            b"\xff\xd8\xff\xc4\0\x02\xff\xff\xd0\xff\xc2\0\x11\x08\x01\xe0\x02\x80",
            "JPEG image, 640 × 480 pixels, 18 bytes",
        ),
        (b"\xff\xd8\xff\xe0\0\x04", "JPEG image, 6 bytes"),
        (b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\x10\0\0\x9d\x01\x2a\x80\x02\xe0\x01", "WebP image, 640 × 480 pixels, 30 bytes"),
        (b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x7f\xc2\x77\0", "WebP image, 640 × 480 pixels, 25 bytes"),
        (b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0", "WebP image, 640 × 480 pixels, 30 bytes"),
        (
            b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x80\x02\0\0\x20\xfe\xff\xff",
            "BMP image, 640 × 480 pixels, 26 bytes",
        ),
        (b"\0\0\x01\0\x01\0\x10\0", "ICO image, 16 × 256 pixels, 8 bytes"),
    ] {
        assert_eq!(told("image/x", body), (Form::Image, expect.to_owned()), "{}", body.escape_ascii());
    }
}

#[test]
fn parts_have_heads_and_bodies() {
    let body = b"preamble\r\n--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--B\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n--B \r\n\r\n--Bx\r\n--B--\r\nepilogue";
    let expect = "--- part 1\nContent-Disposition: form-data; name=\"a\"\n\nvalue\n--- part 2\nContent-Type: application/json\n\n{\n  \"a\": 1\n}\n--- part 3\n\n--Bx\n";
    for content_type in ["multipart/form-data; boundary=B", "Multipart/mixed; x=\"a;b\\\"\" ; Boundary=\"B\""] {
        assert_eq!(told(content_type, body), (Form::Multipart, expect.to_owned()));
    }
    let cut = told("multipart/form-data; boundary=B", b"--B\n\nabc");
    assert_eq!(cut, (Form::Multipart, "--- part 1\n\nabc\n".to_owned()));
    for (content_type, body) in
        [("multipart/form-data", &b"--B\r\n\r\na"[..]), ("multipart/form-data; boundary=B", b"none")]
    {
        assert_eq!(told(content_type, body).0, Form::Text, "{content_type}");
    }
}

#[test]
fn parts_within_parts_end_at_a_depth() {
    let mut body = b"innermost".to_vec();
    for depth in (0..10).rev() {
        let head = format!("--B{depth}\r\nContent-Type: multipart/mixed; boundary=B{}\r\n\r\n", depth + 1);
        body = [head.as_bytes(), &body, format!("\r\n--B{depth}--").as_bytes()].concat();
    }
    let (form, text) = told("multipart/mixed; boundary=B0", &body);
    assert_eq!((form, text.matches("--- part 1").count()), (Form::Multipart, MAX_DEPTH));
    assert!(text.contains("innermost"));
}

#[test]
fn long_dumps_are_shortened_in_the_middle() {
    let bytes = [&[0; 20_000][..], b"end"].concat();
    let (form, text) = told("application/octet-stream", &bytes);
    assert_eq!((form, text.lines().count()), (Form::Bytes, 513));
    assert!(text.contains("… 11824 bytes …\n00003e30 ") && text.ends_with("|end|\n"), "{text}");
}

#[test]
fn indentation_that_would_be_long_is_left_out() {
    let deep = format!("{}{}{}", "[".repeat(100), "1,".repeat(10_000) + "1", "]".repeat(100));
    assert_eq!(told("application/json", deep.as_bytes()), (Form::Json, deep));
}

#[test]
fn indented_json_is_the_same_json() {
    let mut dice = Dice(3);
    let body = br#"{"a":[1,2.50,"x\"]y",{"b":null,"c":{}}],"a":true,"d":"\u00e9 ,:{}"}"#;
    let mut documents = 0;
    for _ in 0..5000 {
        let spoilt = dice.spoil(body);
        let Presented { form: Form::Json, text } = present(None, &spoilt) else { continue };
        documents += 1;
        // Without the space between tokens, nothing has changed.
        let tight = |text: &str| {
            let mut in_string = false;
            let mut is_escaped = false;
            text.chars()
                .filter(|&c| {
                    let is_space = !in_string && c.is_ascii_whitespace();
                    in_string ^= c == '"' && !is_escaped;
                    is_escaped = c == '\\' && !is_escaped;
                    !is_space
                })
                .collect::<String>()
        };
        let before = std::str::from_utf8(&spoilt).unwrap();
        assert_eq!(tight(&text), visible(&tight(before)));
    }
    assert!(documents > 100, "{documents}");
}
