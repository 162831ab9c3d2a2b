//! Packets made from what is stored, for programs that read nothing else: each connection with its handshake, its
//! exchanges as HTTP/1 or HTTP/2 in the clear, and its end. Times are those that were stored; where only the beginning
//! and the end of a body are known, all of it is sent at its end.

mod http1;
mod http2;
mod tcp;
#[cfg(test)]
mod tests;
mod websocket;

use std::net::SocketAddr;

use agent_common::packet::Direction as Way;

use self::tcp::Tcp;
use super::rows::{Connection, Exchange, Outline};
use crate::engine::http::exchange::Direction;

/// The ports of TLS, on which no reader looks for HTTP in the clear, and what stands in for each.
const IN_THE_CLEAR: [(u16, u16); 2] = [(443, 80), (8443, 8080)];

/// Bytes that one side sends at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    at: i64,
    direction: Direction,
    bytes: Vec<u8>,
}

/// Appends to `out`, a section of pcapng, the packets of one connection that has these exchanges, in their order. Without
/// addresses there are none.
pub fn connection(connection: &Connection, exchanges: &[Exchange], out: &mut Vec<u8>) {
    let (Ok(child), Ok(server)) = (connection.child.parse(), connection.destination.parse()) else { return };
    let is_http2 = exchanges.first().is_some_and(|exchange| exchange.outline.version == "HTTP/2");
    let mut pieces = if is_http2 { http2::opening(began(connection, exchanges)) } else { Vec::new() };
    for (number, exchange) in exchanges.iter().enumerate() {
        if is_http2 {
            http2::pieces(number, exchange, &mut pieces);
        } else {
            http1::pieces(exchange, &mut pieces);
        }
    }
    // What is of one moment stays in the order in which it was made.
    pieces.sort_by_key(|piece| piece.at);
    let (server, moved) = clear(server);
    let mut tcp = Tcp::new(child, server, began(connection, exchanges));
    tcp.open(&remarks(connection, moved), out);
    for Piece { at, direction, bytes } in &pieces {
        tcp.send(*at, way(*direction), bytes, out);
    }
    tcp.close(connection.closed, out);
}

/// Where the connection was to, or the port on which it is read, and whether that is another one.
fn clear(server: SocketAddr) -> (SocketAddr, Option<u16>) {
    let stand_in = IN_THE_CLEAR.iter().find(|(port, _)| *port == server.port()).map(|(_, stand_in)| *stand_in);
    (SocketAddr::new(server.ip().to_canonical(), stand_in.unwrap_or(server.port())), stand_in.map(|_| server.port()))
}

/// When the first packet was.
fn began(connection: &Connection, exchanges: &[Exchange]) -> i64 {
    let first = exchanges.iter().map(|exchange| exchange.outline.started).min();
    first.map_or(connection.accepted, |first| first.min(connection.accepted))
}

/// Comments of the first packet.
fn remarks(connection: &Connection, moved: Option<u16>) -> Vec<String> {
    let mut remarks = vec!["made from stored exchanges".to_owned()];
    if let Some(tls) = &connection.server_tls {
        remarks.push(format!("in the clear; it was {}", tls.suite));
    }
    remarks.extend(moved.map(|port| format!("on another port, where HTTP in the clear is read; it was port {port}")));
    if let Some(pid) = connection.pid {
        let name = connection.process.as_deref().unwrap_or_default();
        let executable = connection.executable.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
        remarks.push(format!("process: {name} (pid {pid}){executable}").escape_debug().to_string());
    }
    remarks
}

const fn way(direction: Direction) -> Way {
    match direction {
        Direction::Request => Way::Out,
        Direction::Response => Way::In,
    }
}

/// When the bodies of an exchange were complete, as far as that is known.
fn ends(outline: &Outline) -> (i64, i64) {
    let last = [outline.finished, outline.received, outline.answered, outline.sent].into_iter().flatten().max();
    let last = last.unwrap_or(outline.started);
    (outline.sent.unwrap_or(last), outline.received.unwrap_or(last))
}
