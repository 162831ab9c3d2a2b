//! Counts refused packets and reports them through the ring buffer, each destination at most once a second.

use agent_common::maps::{BlockedKey, Counter, REPORT_INTERVAL_NS, Reason};
use agent_common::packet::Headers;
use aya_ebpf::programs::TcContext;

use crate::maps::{blocked, count};
use crate::packet::Size;

/// Counts a refused packet and reports it if its destination has not been reported lately.
#[inline(always)]
pub(crate) fn refused(ctx: &TcContext, reason: Reason, headers: &Headers, size: Size) {
    count(Counter::Refused(reason), size);
    let key = BlockedKey {
        dst: headers.key.dst,
        dst_port: headers.key.dst_port,
        ether_type: headers.ether_type,
        protocol: headers.key.protocol,
        reason: reason as u8,
        pad: [0; 2],
    };
    if !blocked(&key, headers, size, REPORT_INTERVAL_NS) {
        return;
    }
    #[cfg(feature = "log")]
    aya_log_ebpf::debug!(ctx, "refused: reason {}, protocol {}", reason as u8, headers.key.protocol);
    #[cfg(not(feature = "log"))]
    let _: &TcContext = ctx;
}
