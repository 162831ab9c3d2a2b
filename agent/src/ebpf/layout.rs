//! Where the running kernel keeps what leads from a thread to the path of its executable.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use agent_common::owner::Layout;

use super::btf::{Btf, HEADER, Sections};

/// The kernel's own types.
const BTF: &str = "/sys/kernel/btf/vmlinux";
/// Whether programs may read the kernel's memory (kernel 5.4).
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";

/// How many bytes of the types, and of the names, are read at first. What is looked for is in the first quarter of both,
/// and reading all would take several milliseconds: this file is given out a page at a time.
const FIRST: u64 = 1 << 20;

/// The layout, read from the kernel's description of itself; [`Layout::UNKNOWN`] if it has none that is understood, or
/// forbids to read its memory.
#[must_use]
pub fn layout() -> Layout {
    if fs::read_to_string(LOCKDOWN).is_ok_and(|modes| modes.contains("[confidentiality]")) {
        return Layout::UNKNOWN;
    }
    File::open(BTF).ok().and_then(|file| read(&file)).unwrap_or(Layout::UNKNOWN)
}

fn read(file: &File) -> Option<Layout> {
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, 0).ok()?;
    let sections = Sections::parse(&header)?;
    let mut limit = FIRST;
    loop {
        let (types, strings) = (begin(file, &sections.types, limit)?, begin(file, &sections.strings, limit)?);
        let layout = find(&Btf::new(&types, &strings));
        if layout.is_some() || limit >= length(&sections.types).max(length(&sections.strings)) {
            return layout;
        }
        limit *= 4;
    }
}

/// The first bytes of a section, at most as many as it has.
fn begin(file: &File, section: &Range<u64>, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length(section).min(limit)).ok()?];
    file.read_exact_at(&mut bytes, section.start).ok()?;
    Some(bytes)
}

const fn length(section: &Range<u64>) -> u64 {
    section.end.saturating_sub(section.start)
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
