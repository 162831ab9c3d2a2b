//! ClientHellos that no library of ours would send: with values of GREASE (RFC 8701), without extensions, cut anywhere.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::lab::*;
use super::tls_lab::*;

const SERVER_HELLO: u8 = 2;

fn u16s(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// `bytes` after their length in `width` bytes.
fn counted(width: usize, bytes: &[u8]) -> Vec<u8> {
    [&bytes.len().to_be_bytes()[8 - width..], bytes].concat()
}

fn extension(number: u16, body: &[u8]) -> Vec<u8> {
    [number.to_be_bytes().to_vec(), counted(2, body)].concat()
}

/// A handshake message with these cipher suites and extensions (RFC 8446 section 4.1.2).
fn hello(suites: &[u16], extensions: Option<&[Vec<u8>]>) -> Vec<u8> {
    let mut body = [&[3, 3][..], &[7; 32], &counted(1, &[9; 32]), &counted(2, &u16s(suites)), &[1, 0]].concat();
    if let Some(extensions) = extensions {
        body.extend(counted(2, &extensions.concat()));
    }
    [vec![1], counted(3, &body)].concat()
}

/// The message in records of at most `size` bytes.
fn records(message: &[u8], size: usize) -> Vec<u8> {
    message.chunks(size).flat_map(|part| [vec![0x16, 3, 1], counted(2, part)].concat()).collect()
}

fn greased() -> Vec<u8> {
    let share = [u16s(&[0x2a2a]), counted(2, &[0]), u16s(&[0x001d]), counted(2, &[5; 32])].concat();
    hello(
        &[0x0a0a, 0x1301, 0x1302],
        Some(&[
            extension(0x1a1a, &[]),
            extension(0, &counted(2, &[&[0][..], &counted(2, NAME.as_bytes())].concat())),
            extension(10, &counted(2, &u16s(&[0x2a2a, 0x001d]))),
            extension(13, &counted(2, &u16s(&[0x0403, 0x0804, 0x0401]))),
            extension(16, &counted(2, &[counted(1, b"\x3a\x3a"), counted(1, b"http/1.1")].concat())),
            extension(43, &counted(1, &u16s(&[0x4a4a, 0x0304]))),
            extension(51, &counted(2, &share)),
            extension(0x5a5a, &[0]),
        ]),
    )
}

/// As clients of the first years of TLS 1.2 begin: the server has to guess what signatures they verify.
fn plain() -> Vec<u8> {
    hello(&[0xc02f, 0x002f], None)
}

#[tokio::test]
async fn unusual_hellos_are_answered() {
    let root = authority();
    let lab = Lab::new(Origin::default().serve(&root).await.0, Some(&root)).await;
    let answered = async |bytes: Vec<u8>| {
        let mut tcp = lab.tcp().await;
        tcp.write_all(&bytes).await.unwrap();
        let mut start = [0; 6];
        tcp.read_exact(&mut start).await.unwrap();
        (start[0], start[5])
    };
    for size in [16_000, 100, 7, 1] {
        assert_eq!(answered(records(&greased(), size)).await, (0x16, SERVER_HELLO), "{size}");
    }
    // Without the extension it verifies SHA-1 alone (RFC 5246 section 7.4.1.4.1), with which we do not sign.
    assert_eq!(answered(records(&plain(), 16_000)).await.0, 0x15);
}

#[tokio::test]
async fn what_is_no_hello_is_answered_with_an_alert() {
    let lab = Lab::new(nobody().await, None).await;
    let mut tcp = lab.tcp().await;
    tcp.write_all(&records(&[1, 0, 0, 4, 1, 2, 3, 4], 100)).await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    assert_eq!((answer[0], answer.len()), (0x15, 7));
}
