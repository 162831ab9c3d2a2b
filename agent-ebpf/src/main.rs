//! The kernel half: three programs on the gateway's end of the veth and on the gateway's namespace, and five on the
//! session's control group.
//!
//! - `client_in` (tc ingress) decides about each packet the child sent, records connections, counts.
//! - `client_out` (tc egress) counts what goes to the child and follows the end of connections.
//! - `steer` (sk_lookup) hands each recorded connection to its listener.
//! - `connect4` and `connect6` (cgroup/connect4, cgroup/connect6) note at a socket which process connects it.
//! - `sendmsg4` and `sendmsg6` (cgroup/sendmsg4, cgroup/sendmsg6) note which process sends a datagram.
//! - `connected` (sock_ops) gives that note to the connection, once its port is known and before its SYN leaves.
//!
//! There is no policy here: the programs look up, drop, count and report. The decision itself is
//! [`agent_common::decide`].

#![no_std]
#![no_main]
#![feature(asm_experimental_arch, core_intrinsics)]
#![expect(internal_features, reason = "atomic addition on map values: see `maps::add`")]
#![expect(clippy::needless_pass_by_value, reason = "the programs' macros hand the context over by value")]

mod kernel;
mod maps;
mod owner;
mod packet;
mod report;
mod socket;
mod steer;
mod track;

use agent_common::decide::{Action, decide, refuse};
use agent_common::maps::{Counter, Reason};
use agent_common::packet::{Direction, Headers, parse};
use aya_ebpf::bindings::{TC_ACT_OK, TC_ACT_SHOT};
use aya_ebpf::macros::{cgroup_sock_addr, classifier, sk_lookup, sock_ops};
use aya_ebpf::programs::{SkLookupContext, SockAddrContext, SockOpsContext, TcContext};

use crate::maps::{PolicyMaps, config, count};
use crate::packet::Frame;
use crate::socket::Family;

/// Everything the child sends passes here first.
#[classifier]
fn client_in(ctx: TcContext) -> i32 {
    let frame = Frame::new(&ctx);
    let size = frame.size();
    let config = config();
    let mut headers = Headers::new(config.ifindex);
    let action = match decide(&frame, config, &PolicyMaps, &mut headers) {
        Action::Open(verdict) if !track::open(&headers, verdict, size) => refuse(config, Reason::FlowTableFull),
        action => action,
    };
    match action {
        Action::Continue => track::follow(&headers, Direction::Out, size),
        Action::Answer(reason) | Action::Drop(reason) => report::refused(&ctx, reason, &headers, size),
        Action::Open(_) | Action::Dns => {}
    }
    match action {
        Action::Drop(_) => TC_ACT_SHOT,
        Action::Answer(_) => TC_ACT_OK,
        Action::Open(_) | Action::Continue | Action::Dns => {
            count(Counter::Out, size);
            TC_ACT_OK
        }
    }
}

/// Everything sent to the child passes here last.
#[classifier]
fn client_out(ctx: TcContext) -> i32 {
    let frame = Frame::new(&ctx);
    let size = frame.size();
    let mut headers = Headers::new(config().ifindex);
    if parse(&frame, Direction::In, &mut headers).is_ok() {
        track::follow(&headers, Direction::In, size);
    }
    count(Counter::In, size);
    TC_ACT_OK
}

/// Chooses the socket for a new connection or datagram; returns `SK_PASS` or `SK_DROP`.
#[sk_lookup]
fn steer(ctx: SkLookupContext) -> u32 {
    steer::steer(&ctx)
}

/// What programs on connect(2) return to let it go on. They refuse nothing.
const PROCEED: i32 = 1;

/// Every connect(2) of an IPv4 socket in the session passes here first.
#[cgroup_sock_addr(connect4)]
fn connect4(ctx: SockAddrContext) -> i32 {
    owner::note(&ctx, Family::V4);
    PROCEED
}

/// Every connect(2) of an IPv6 socket in the session passes here first, to IPv4-mapped addresses as well.
#[cgroup_sock_addr(connect6)]
fn connect6(ctx: SockAddrContext) -> i32 {
    owner::note(&ctx, Family::V6);
    PROCEED
}

/// Every datagram that an unconnected IPv4 socket of the session sends passes here first.
#[cgroup_sock_addr(sendmsg4)]
fn sendmsg4(ctx: SockAddrContext) -> i32 {
    owner::note_sender(&ctx, Family::V4);
    PROCEED
}

/// Every datagram that an unconnected IPv6 socket of the session sends passes here first.
#[cgroup_sock_addr(sendmsg6)]
fn sendmsg6(ctx: SockAddrContext) -> i32 {
    owner::note_sender(&ctx, Family::V6);
    PROCEED
}

/// Runs for each TCP socket of the session, among others when it is about to send its SYN. On other occasions its
/// answer would set parameters of the connection; one leaves all of them as they are.
#[sock_ops]
fn connected(ctx: SockOpsContext) -> u32 {
    owner::join(&ctx);
    1
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    // The programs contain no panicking code; the linker removes this, and the verifier would refuse the loop.
    loop {}
}
