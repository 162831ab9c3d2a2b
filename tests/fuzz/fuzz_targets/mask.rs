//! Credentials in any text: what is planted is covered, and nothing changes its length.

#![no_main]

use std::sync::LazyLock;

use agent::engine::decode::mask::Masks;
use agent::engine::http::Field;
use libfuzzer_sys::fuzz_target;

static MASKS: LazyLock<Masks> = LazyLock::new(|| Masks::new(&["pin".to_owned()]).expect("a name"));

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, noise)) = bytes.split_first() else { return };
    let keys = ["AKIAABCDEFGHIJKLMNOP", "4111 1111 1111 1111", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"];
    let names = ["", "\"pin\": ", "pin\\\":"];
    let (key, name) = (keys[usize::from(choice) % 3], names[usize::from(choice >> 2) % 3]);
    let (before, after) = noise.split_at(noise.len() / 2);
    let planted = [before, b"\n", name.as_bytes(), b"\"", key.as_bytes(), b"\"\n", after].concat();
    let mut masked = planted.clone();
    let secrets = MASKS.text(&mut masked);
    let start = before.len() + name.len() + 2;
    assert_eq!(masked.len(), planted.len());
    assert!(
        secrets > 0 && masked[start..start + key.len()].iter().all(|&byte| byte == b'*'),
        "{}",
        masked.escape_ascii()
    );
    let is_same_or_covered = |(now, before): (&u8, &u8)| now == before || *now == b'*';
    assert!(masked.iter().zip(&planted).all(is_same_or_covered));
    fields(noise);
    if let Ok(url) = std::str::from_utf8(noise) {
        let masked = MASKS.url(&format!("https://user:{key}@a.example/{url}"));
        let covered = format!("https://{}@a.example/", "*".repeat(key.len() + 5));
        assert!(masked.len() == covered.len() + url.len() && masked.starts_with(&covered), "{masked}");
    }
});

/// A field that carries credentials loses them all.
fn fields(value: &[u8]) {
    let names = ["authorization", "cookie", "x-api-key", "location", "other"];
    let mut fields = names.map(|name| Field::new(name, value.to_vec()));
    MASKS.fields(&mut fields);
    assert!(fields.iter().all(|field| field.value.len() == value.len()));
    assert!(fields[2].value.iter().all(|&byte| byte == b'*'));
}
