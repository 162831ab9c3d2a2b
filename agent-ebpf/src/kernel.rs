//! Pointers into the kernel's own structures, read through the helper that checks each read. Where fields lie is for
//! the caller to know.

use agent_common::owner::{Draft, NAME_BYTES, PATH_BYTES};
use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_probe_read_kernel, bpf_probe_read_kernel_str};

/// The address of a structure, or of a field in one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pointer(u64);

impl Pointer {
    /// The `task_struct` of the thread that called into the kernel.
    #[inline(always)]
    pub(crate) fn current_task() -> Self {
        // SAFETY: the helper takes no argument.
        #[expect(unsafe_code, reason = "BPF helpers are foreign functions")]
        Self(unsafe { bpf_get_current_task() })
    }

    /// The structure that begins `offset` bytes before this field of it.
    #[inline(always)]
    pub(crate) fn container(self, offset: u32) -> Self {
        Self(self.0.wrapping_sub(u64::from(offset)))
    }

    /// The pointer that lies `offset` bytes in; `None` if it is null or cannot be read.
    #[inline(always)]
    pub(crate) fn pointer(self, offset: u32) -> Option<Self> {
        let mut value = 0_u64;
        let address = self.0.wrapping_add(u64::from(offset)) as *const _;
        // SAFETY: the helper writes eight bytes to `value`, and itself checks what it reads.
        #[expect(unsafe_code, reason = "BPF helpers are foreign functions")]
        let read = unsafe { bpf_probe_read_kernel((&raw mut value).cast(), 8, address) };
        (read == 0 && value != 0).then_some(Self(value))
    }

    /// Copies the string here to `at` in the draft's path, with its zero byte; returns the bytes written, or `None` if
    /// there is no room or no string.
    #[inline(always)]
    pub(crate) fn copy_name(self, draft: &mut Draft, at: usize) -> Option<usize> {
        if at >= PATH_BYTES {
            return None;
        }
        // For the verifier, where the compiler would leave it out as implied.
        let at = core::hint::black_box(at) & (PATH_BYTES - 1);
        let path = (&raw mut draft.owner.path).cast::<u8>();
        // SAFETY: `at` is within the path, and room for a whole name follows the path in the draft.
        #[expect(unsafe_code, reason = "BPF helpers are foreign functions")]
        let written =
            unsafe { bpf_probe_read_kernel_str(path.wrapping_add(at).cast(), NAME_BYTES as u32, self.0 as *const _) };
        usize::try_from(written).ok().filter(|written| *written > 0)
    }
}
