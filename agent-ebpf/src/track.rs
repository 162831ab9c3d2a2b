//! Follows connections: records them at their SYN, counts both directions, notices their end.

use agent_common::maps::{Counter, EventKind, FIN_FROM_CHILD, FIN_TO_CHILD, Flow, State, Verdict};
use agent_common::packet::{ACK, Direction, FIN, Headers, RST, SYN};

use crate::maps::{LiveFlow, claim_owner, count, emit, flow, insert_flow, now};
use crate::packet::Size;

/// Records the connection that a SYN opens; false if there is no room. A SYN that was sent again, or on a connection in
/// use, is only counted: what it means is for the TCP stack to say.
#[inline(always)]
pub(crate) fn open(headers: &Headers, verdict: Verdict, size: Size) -> bool {
    let key = &headers.key;
    if let Some(live) = flow(key)
        && (live.in_use() || live.syn_seq() == headers.seq)
    {
        live.add(Direction::Out, size);
        return true;
    }
    claim_owner(key);
    let now = now();
    let opened = Flow {
        orig_dst: key.dst,
        first_ns: now,
        last_ns: now,
        bytes_out: size.bytes,
        bytes_in: 0,
        packets_out: size.packets,
        packets_in: 0,
        syn_seq: headers.seq,
        orig_port: key.dst_port,
        verdict: verdict as u8,
        state: State::Opening as u8,
        fins: 0,
        pad: 0,
    };
    if insert_flow(key, &opened).is_err() {
        return false;
    }
    count(Counter::Opened, Size { packets: 1, bytes: 0 });
    if let Some(live) = flow(key) {
        emit(key, headers.ether_type, EventKind::Opened, State::Opening as u8, &live.totals());
    }
    true
}

/// Counts a packet of a connection, moves the connection's state on, and reports its end once.
#[inline(always)]
pub(crate) fn follow(headers: &Headers, direction: Direction, size: Size) {
    let Some(live) = flow(&headers.key) else { return };
    live.add(direction, size);
    if headers.flags & (SYN | FIN | RST) == 0 || live.is_over() {
        return;
    }
    let Some(state) = next(live, headers.flags, direction) else { return };
    live.set_state(state);
    if state >= State::Closed {
        emit(&headers.key, headers.ether_type, EventKind::Closed, state as u8, &live.totals());
    }
}

/// The state that a packet with these flags leads to, if it is another one.
#[inline(always)]
fn next(live: LiveFlow, flags: u8, direction: Direction) -> Option<State> {
    if flags & RST != 0 {
        return Some(State::Reset);
    }
    if flags & FIN != 0 {
        let both = live.add_fin(match direction {
            Direction::Out => FIN_FROM_CHILD,
            Direction::In => FIN_TO_CHILD,
        });
        return Some(if both { State::Closed } else { State::HalfClosed });
    }
    let answered = direction == Direction::In && flags & (SYN | ACK) == SYN | ACK;
    answered.then_some(State::Open)
}
