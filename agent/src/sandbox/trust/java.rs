//! A Java trust store in the JKS format, which every Java reads as its default store whatever it calls the type
//! (JEP 229 made readers accept both JKS and PKCS 12). Written here because certificates alone need no cryptography
//! but the closing digest.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
const TRUSTED_CERTIFICATE: u32 = 2;
/// The password that every Java's own store has.
const PASSWORD: &str = "changeit";
/// Salt of the closing digest, fixed by the format (sun.security.provider.JavaKeyStore).
const SALT: &[u8] = b"Mighty Aphrodite";

/// A store that trusts these certificates, given in DER.
pub(super) fn key_store<'a>(certificates: impl Iterator<Item = &'a Vec<u8>> + Clone) -> Vec<u8> {
    let mut store = Vec::new();
    put_u32(&mut store, MAGIC);
    put_u32(&mut store, VERSION);
    put_u32(&mut store, length(certificates.clone().count()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let created = u64::try_from(now.as_millis()).unwrap_or(0).to_be_bytes();
    for (index, certificate) in certificates.enumerate() {
        put_u32(&mut store, TRUSTED_CERTIFICATE);
        put_text(&mut store, &format!("agent-{index}"));
        store.extend(created);
        put_text(&mut store, "X.509");
        put_u32(&mut store, length(certificate.len()));
        store.extend(certificate);
    }
    let digest = digest(&store);
    store.extend(digest);
    store
}

fn digest(store: &[u8]) -> Vec<u8> {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for unit in PASSWORD.encode_utf16() {
        context.update(&unit.to_be_bytes());
    }
    context.update(SALT);
    context.update(store);
    context.finish().as_ref().to_vec()
}

fn put_u32(store: &mut Vec<u8>, value: u32) {
    store.extend(value.to_be_bytes());
}

fn put_text(store: &mut Vec<u8>, text: &str) {
    store.extend(u16::try_from(text.len()).unwrap_or(0).to_be_bytes());
    store.extend(text.as_bytes());
}

fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(0)
}
