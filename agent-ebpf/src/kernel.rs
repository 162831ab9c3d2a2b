//! Pointers into the kernel's own structures, read through the helper that checks each read. Where fields lie is for
//! the caller to know.

use agent_common::owner::{Draft, NAME_BYTES, PATH_BYTES};
use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_probe_read_kernel, bpf_probe_read_kernel_str};

/// The address of a structure, or of a field in one. Null is one that cannot be read: what is read through it is null.
/// So a walk tests for its end once, and the verifier has few ways to follow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pointer(pub(crate) u64);

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

    /// The pointer that lies `offset` bytes in.
    #[inline(always)]
    pub(crate) fn pointer(self, offset: u32) -> Self {
        let mut value = 0_u64;
        let address = self.0.wrapping_add(u64::from(offset)) as *const _;
        // SAFETY: the helper writes eight bytes to `value`, zeros where it cannot read, and itself checks what it reads.
        #[expect(unsafe_code, reason = "BPF helpers are foreign functions")]
        let _failed: bool = unsafe { bpf_probe_read_kernel((&raw mut value).cast(), 8, address) } != 0;
        Self(value)
    }

    /// Appends the string here to the draft's path, with its zero byte; false if there is no room or no string.
    #[inline(always)]
    pub(crate) fn append_to(self, draft: &mut Draft) -> bool {
        // How far the path goes is kept in memory of which the verifier knows nothing: if it followed the length from
        // name to name, each number of names would be another case, and it would take a second to judge them all.
        let len = &raw mut draft.owner.path_len;
        let path = (&raw mut draft.owner.path).cast::<u8>();
        // SAFETY: both lie in the draft; `at` is within the path, which room for a whole name follows.
        #[expect(unsafe_code, reason = "BPF helpers are foreign functions")]
        unsafe {
            let at = len.read_volatile();
            if usize::from(at) >= PATH_BYTES {
                return false;
            }
            // For the verifier, where the compiler would leave it out as implied.
            let at = core::hint::black_box(at) & (PATH_BYTES - 1) as u16;
            let room = path.wrapping_add(usize::from(at)).cast();
            let written = bpf_probe_read_kernel_str(room, NAME_BYTES as u32, self.0 as *const _);
            if written <= 0 {
                return false;
            }
            len.write_volatile(at + written as u16);
        }
        true
    }
}
