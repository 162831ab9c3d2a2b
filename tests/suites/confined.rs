//! Commands and the worker are confined, what lifts a restriction says so, and without the kernel's help nothing starts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use tests::procfs::status_of;
use tests::{Lab, PYTHON, Process, process, tools};

#[test]
fn the_kernel_says_that_the_worker_is_confined() {
    let lab = Lab::bare();
    let mut session = lab.agent().up();
    let worker = session.worker();
    for (field, expect) in [("NoNewPrivs", "1"), ("Seccomp", "2"), ("CapEff", "0000000000000000")] {
        assert_eq!(status_of(worker, field), expect, "{field}");
    }
    session.down();
}

#[test]
fn the_kernel_says_that_a_command_is_confined_in_either_mode() {
    let lab = Lab::bare();
    for mode in ["observe", "enforce"] {
        let output = lab.agent().args(&["--mode", mode]).run(&["cat", "/proc/self/status"]);
        for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"] {
            assert!(output.ok().lines().any(|known| known == line), "{mode}: {line} is not in {}", output.stdout);
        }
    }
}

#[test]
fn without_landlock_nothing_starts_and_doctor_says_why() {
    let lab = Lab::bare();
    let wrapper = [PYTHON, &tools::program("without_landlock.py")];
    let agent = lab.agent().under(&wrapper);
    let output = agent.run(&["true"]);
    output.assert_status(125).assert_stderr("the worker did not give up its privileges");
    assert!(agent.log().contains("this kernel has no Landlock"), "{}", agent.log());
    let mut doctor = lab.host.command(PYTHON);
    doctor.arg(wrapper[1]).arg(tools::agent_binary()).arg("doctor");
    process::run(&mut doctor).assert_status(1).assert_stdout("MISSING  Landlock");
}

#[test]
fn each_opening_opens_one_thing_and_warns() {
    let lab = Lab::bare();
    let socket = lab.scratch.file("service.sock");
    let mut server = lab.host.command(PYTHON);
    let server = Process::spawn_ready(server.arg(tools::program("unix_server.py")).arg(&socket));
    let openings = tools::program("openings.py");
    let nobody_gains = "grep -q 'NoNewPrivs:.0' /proc/self/status";
    for (option, argv) in [
        ("--allow-user-namespaces", vec!["unshare", "-Ur", "true"]),
        ("--allow-ptrace", vec![PYTHON, &openings, "trace"]),
        ("--allow-all-syscalls", vec![PYTHON, &openings, "vsock"]),
        ("--allow-net-admin", vec!["ip", "link", "set", "lo", "mtu", "1400"]),
        ("--allow-host", vec![PYTHON, &openings, "connect", &socket]),
        ("--allow-new-privs", vec!["sh", "-c", nobody_gains]),
    ] {
        // Root may not map itself into a user namespace without a capability.
        let agent = lab.agent().enforce().args(&["--user", "nobody"]);
        let shut = agent.run(&argv);
        assert_ne!(shut.status, 0, "{option}: {shut:#?}");
        assert!(!shut.stderr.contains("warning"), "{shut:#?}");
        let open = agent.args(&[option]).run(&argv);
        open.ok();
        open.assert_stderr(&format!("agent: warning: `{option}` opens the session: "));
    }
    drop(server);
}

#[test]
fn observe_mode_leaves_the_users_own_programs_alone_and_enforce_mode_does_not() {
    let lab = Lab::bare();
    let openings = tools::program("openings.py");
    for argv in [vec!["unshare", "-Ur", "true"], vec![PYTHON, &openings, "trace"]] {
        let agent = lab.agent().args(&["--user", "nobody"]);
        agent.run(&argv).ok();
        assert_ne!(agent.enforce().run(&argv).status, 0, "{argv:?}");
    }
}

#[test]
fn a_program_that_a_command_leaves_in_a_group_below_ends_with_the_session() {
    let lab = Lab::bare();
    let script = "group=$(sed 's/^0:://;t;d' /proc/self/cgroup | head -n1); \
        root=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo); \
        mkdir \"$root$group/below\" && (echo 0 > \"$root$group/below/cgroup.procs\"; exec sleep 1000 >/dev/null 2>&1) & \
        until grep -q . \"$root$group/below/cgroup.procs\"; do :; done";
    lab.agent().shell(script).ok();
}
