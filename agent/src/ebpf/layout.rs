//! Where the running kernel keeps what leads from a thread to the path of its executable.

use std::fs;

use agent_common::owner::Layout;

use super::btf::Btf;

/// The kernel's own types.
const BTF: &str = "/sys/kernel/btf/vmlinux";
/// Whether programs may read the kernel's memory (kernel 5.4).
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// The layout, read from the kernel's description of itself; [`Layout::UNKNOWN`] if it has none that is understood, or
/// forbids to read its memory. The latter must be known beforehand: it would refuse the programs as a whole.
#[must_use]
pub fn layout() -> Layout {
    if fs::read_to_string(LOCKDOWN).is_ok_and(|modes| modes.contains("[confidentiality]")) {
        return Layout::UNKNOWN;
    }
    let known = fs::read(BTF).ok().and_then(|bytes| find(&Btf::parse(&bytes)?));
    known.unwrap_or(Layout::UNKNOWN)
}

fn find(btf: &Btf<'_>) -> Option<Layout> {
    Some(Layout {
        task_mm: btf.offset("task_struct", &["mm"])?,
        mm_exe_file: btf.offset("mm_struct", &["exe_file"])?,
        file_mnt: btf.offset("file", &["f_path", "mnt"])?,
        file_dentry: btf.offset("file", &["f_path", "dentry"])?,
        dentry_parent: btf.offset("dentry", &["d_parent"])?,
        dentry_name: btf.offset("dentry", &["d_name", "name"])?,
        mount_mnt: btf.offset("mount", &["mnt"])?,
        mount_root: btf.offset("mount", &["mnt", "mnt_root"])?,
        mount_parent: btf.offset("mount", &["mnt_parent"])?,
        mount_mountpoint: btf.offset("mount", &["mnt_mountpoint"])?,
    })
}

#[cfg(test)]
mod tests {
    use agent_common::owner::Layout;

    use super::{BTF, layout};

    #[test]
    fn a_kernel_that_describes_itself_is_understood() {
        let layout = layout();
        let described = std::path::Path::new(BTF).exists();
        assert_eq!(layout != Layout::UNKNOWN, described, "{layout:?}");
        // Pointers are aligned, and a structure of mounts holds the part that paths point to.
        let Layout { task_mm, mm_exe_file, dentry_name, mount_mnt, mount_root, .. } = layout;
        assert!([task_mm, mm_exe_file, dentry_name].iter().all(|offset| offset % 8 == 0), "{layout:?}");
        assert!(mount_root >= mount_mnt, "{layout:?}");
    }
}
