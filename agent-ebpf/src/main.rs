//! The kernel half: three programs on the gateway's end of the veth and on the gateway's namespace.
//!
//! - `client_in` (tc ingress) decides about each packet the child sent, records connections, counts.
//! - `client_out` (tc egress) counts what goes to the child and follows the end of connections.
//! - `steer` (sk_lookup) hands each recorded connection to its listener.
//!
//! There is no policy here: the programs look up, drop, count and report. The decision itself is
//! [`agent_common::decide`].

#![no_std]
#![no_main]
#![feature(asm_experimental_arch, core_intrinsics)]
#![expect(internal_features, reason = "atomic addition on map values: see `maps::add`")]
#![expect(clippy::needless_pass_by_value, reason = "the programs' macros hand the context over by value")]

mod maps;
mod packet;
mod report;
mod steer;
mod track;

use agent_common::decide::{Action, decide};
use agent_common::maps::{Counter, Reason};
use agent_common::packet::{Direction, Headers, parse};
use aya_ebpf::bindings::{TC_ACT_OK, TC_ACT_SHOT};
use aya_ebpf::macros::{classifier, sk_lookup};
use aya_ebpf::programs::{SkLookupContext, TcContext};

use crate::maps::{PolicyMaps, config, count};
use crate::packet::Frame;

/// Everything the child sends passes here first.
#[classifier]
fn client_in(ctx: TcContext) -> i32 {
    let frame = Frame::new(&ctx);
    let size = frame.size();
    let config = config();
    let mut headers = Headers::new(config.ifindex);
    let action = match decide(&frame, config, &PolicyMaps, &mut headers) {
        Action::Open(verdict) if !track::open(&headers, verdict, size) => Action::Answer(Reason::FlowTableFull),
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

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    // The programs contain no panicking code; the linker removes this, and the verifier would refuse the loop.
    loop {}
}
