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

/// How much of types and names is read at first. What is looked for is near the beginning, and reading all would take
/// several milliseconds: this file is given out a page at a time.
const FIRST: (u64, u64) = (1 << 20, 1 << 17);

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
    let (mut types, mut strings) = FIRST;
    loop {
        let (some_types, some_strings) =
            (begin(file, &sections.types, types)?, begin(file, &sections.strings, strings)?);
        let layout = find(&Btf::new(&some_types, &some_strings));
        let all = types >= length(&sections.types) && strings >= length(&sections.strings);
        if layout.is_some() || all {
            return layout;
        }
        (types, strings) = (types * 4, strings * 4);
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
