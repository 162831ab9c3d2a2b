//! The frame under a tc program, as [`agent_common`] wants to read it.

use core::arch::asm;

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

/// The headers of TCP over IPv4: less than this in the linear part of a packet is not what a TCP stack sends.
const LEAST: usize = 14 + 20 + 20;
/// The longest headers that are read: those of TCP over IPv6.
const MOST: u32 = 14 + 40 + 20;

/// A frame and what the kernel knows about it.
pub(crate) struct Frame<'a> {
    ctx: &'a TcContext,
}

impl<'a> Frame<'a> {
    /// The frame of a program's run. If its headers lie outside the linear part of the packet, they are moved into it.
    /// That copies, so it is not done for what TCP stacks send, whose headers are there and whose data is not.
    #[inline(always)]
    pub(crate) fn new(ctx: &'a TcContext) -> Self {
        let linear = ctx.data_end().wrapping_sub(ctx.data());
        if linear < LEAST && ctx.len() as usize > linear {
            // Where that fails, the loads below do: the frame counts as malformed.
            let _moved: bool = ctx.pull_data(MOST.min(ctx.len())).is_ok();
        }
        Self { ctx }
    }

    #[inline(always)]
    pub(crate) fn size(&self) -> Size {
        // SAFETY: the kernel passes a valid `__sk_buff` for the length of the program's run.
        #[expect(unsafe_code, reason = "aya has no accessor for `gso_segs`")]
        let segments = unsafe { (*self.ctx.skb.skb).gso_segs };
        Size { packets: u64::from(segments.max(1)), bytes: u64::from(self.ctx.len()) }
    }

    /// Where `len` bytes at `offset` begin, if the packet has them.
    #[inline(always)]
    fn bytes(&self, offset: usize, len: usize) -> Option<usize> {
        let start = self.ctx.data() + offset;
        (start + len <= self.ctx.data_end()).then_some(start)
    }
}

/// Reads one word of the packet. In one instruction: headers are not aligned, which the processor does not mind, but the
/// compiler would then read byte by byte.
macro_rules! word {
    ($name:ident, $type:ty, $load:literal) => {
        #[inline(always)]
        fn $name(address: usize) -> $type {
            let word: u64;
            // SAFETY: the address is inside the packet: `Frame::bytes` compared it, and the verifier does once more.
            #[expect(unsafe_code, reason = "packet bytes are reached through pointers")]
            unsafe {
                asm!($load, word = out(reg) word, address = in(reg) address, options(pure, readonly, nostack));
            }
            word as $type
        }
    };
}

word!(word16, u16, "{word} = *(u16 *)({address} + 0)");
word!(word32, u32, "{word} = *(u32 *)({address} + 0)");

impl Packet for Frame<'_> {
    #[inline(always)]
    fn load16<const N: usize>(&self, offset: usize) -> Option<[u16; N]> {
        let start = self.bytes(offset, 2 * N)?;
        Some(core::array::from_fn(|index| word16(start + 2 * index)))
    }

    #[inline(always)]
    fn load32<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        let start = self.bytes(offset, 4 * N)?;
        Some(core::array::from_fn(|index| word32(start + 4 * index)))
    }

    #[inline(always)]
    fn has_vlan_tag(&self) -> bool {
        // SAFETY: as in `size`.
        #[expect(unsafe_code, reason = "aya has no accessor for `vlan_present`")]
        let present = unsafe { (*self.ctx.skb.skb).vlan_present };
        present != 0
    }
}
