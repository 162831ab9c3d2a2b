//! The frame under a tc program, as [`agent_common`] wants to read it.

use agent_common::packet::Packet;
use aya_ebpf::programs::TcContext;

/// How much a frame counts for.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Packets on the wire: the segments of a GSO packet, else one.
    pub(crate) packets: u64,
    /// Bytes, link layer included.
    pub(crate) bytes: u64,
}

/// A frame and what the kernel knows about it.
pub(crate) struct Frame<'a> {
    ctx: &'a TcContext,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(ctx: &'a TcContext) -> Self {
        Self { ctx }
    }

    #[inline(always)]
    pub(crate) fn size(&self) -> Size {
        // SAFETY: the kernel passes a valid `__sk_buff` for the length of the program's run.
        #[expect(unsafe_code, reason = "aya has no accessor for `gso_segs`")]
        let segments = unsafe { (*self.ctx.skb.skb).gso_segs };
        Size { packets: u64::from(segments.max(1)), bytes: u64::from(self.ctx.len()) }
    }
}

impl Packet for Frame<'_> {
    #[inline(always)]
    fn load16<const N: usize>(&self, offset: usize) -> Option<[u16; N]> {
        self.ctx.load::<[u16; N]>(offset).ok()
    }

    #[inline(always)]
    fn load32<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        self.ctx.load::<[u32; N]>(offset).ok()
    }

    #[inline(always)]
    fn has_vlan_tag(&self) -> bool {
        // SAFETY: as in `size`.
        #[expect(unsafe_code, reason = "aya has no accessor for `vlan_present`")]
        let present = unsafe { (*self.ctx.skb.skb).vlan_present };
        present != 0
    }
}
