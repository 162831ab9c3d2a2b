//! Texts of the kernel below `/proc`, in which names are whatever a process of the session chose.

#![no_main]

use agent::sandbox::cgroup::cgroup2_mount;
use agent::sandbox::host_sockets::bound;
use agent::sandbox::kernel_files::mounts_of_kernel;
use agent::sandbox::standing::Standing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = (cgroup2_mount(text), Standing::parse(text));
    assert!(mounts_of_kernel(text).len() <= text.lines().count());
    assert!(bound(text).iter().all(|path| path.is_absolute()));
});
