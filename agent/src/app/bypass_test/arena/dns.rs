//! The DNS server of the outside: every name of its domain has the address that one of its labels writes
//! (`a-192-0-2-1`), and each query is noted.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;

use super::DOMAIN;
use super::canary::Log;
use crate::engine::wire::dns::{HEADER, Message};

/// Answers at `address`, which is local to the calling thread's namespace.
pub(super) fn serve(address: Ipv4Addr, log: &Arc<Log>) -> anyhow::Result<()> {
    let socket = UdpSocket::bind((address, 53))?;
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let Some((name, response)) = respond(&buffer[..length]) else { continue };
            log.note(format!("dns {address}:53"), name.into_bytes());
            if socket.send_to(&response, from).is_err() {
                tracing::debug!("whoever asked the outside's DNS server is gone");
            }
        }
    });
    Ok(())
}

/// The name asked for, and the response.
fn respond(query: &[u8]) -> Option<(String, Vec<u8>)> {
    const A: u16 = 1;
    let message = Message::parse(query).ok()?;
    let question = message.question()?;
    let name = question.name.to_ascii_lowercase();
    let address = address(&name).filter(|_| question.record_type == A);
    // The header, the question as it was, and at most one answer that points to it (RFC 1035 section 4.1.4).
    let labels = query.get(HEADER..)?.iter().position(|byte| *byte == 0)? + 1 + 4;
    let mut response = query.get(..HEADER + labels)?.to_vec();
    response[2] = 0x84 | response[2] & 1;
    response[3] = if name.ends_with(DOMAIN) { 0x80 } else { 0x83 };
    response[6..12].copy_from_slice(&[0, u8::from(address.is_some()), 0, 0, 0, 0]);
    if let Some(address) = address {
        response.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4]);
        response.extend(address.octets());
    }
    Some((name, response))
}

/// The address that a label of the name writes.
fn address(name: &str) -> Option<Ipv4Addr> {
    let name = name.strip_suffix(DOMAIN)?;
    name.split('.').find_map(|label| label.strip_prefix("a-")?.replace('-', ".").parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_its_address() {
        let query = crate::bypass::talk::query("x.a-192-0-2-7.t1.canary.test", 1);
        let (name, response) = respond(&query).unwrap();
        assert_eq!(name, "x.a-192-0-2-7.t1.canary.test");
        assert!(response.ends_with(&[192, 0, 2, 7]));
        let addresses = Message::parse(&response).unwrap().addresses();
        assert_eq!(addresses.len(), 1);
        assert!(
            respond(&crate::bypass::talk::query("x.a-192-0-2-7.canary.test", 28)).unwrap().1.len() < response.len()
        );
        assert_eq!(address("other.test"), None);
    }
}
