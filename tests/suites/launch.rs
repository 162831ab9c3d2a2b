//! The command is the invoking user's, and ends as if the agent were not there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::fs;

use nix::sys::signal::Signal;
use tests::{Lab, eventually};

#[test]
fn the_exit_status_is_the_commands() {
    let lab = Lab::bare();
    for (script, status) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143)]
    {
        lab.agent().shell(script).assert_status(status);
    }
}

#[test]
fn output_goes_through_untouched_and_the_agent_adds_nothing() {
    let lab = Lab::bare();
    let output = lab.agent().shell("echo out; echo err >&2");
    assert_eq!((output.ok(), output.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn standard_input_reaches_the_command() {
    let lab = Lab::bare();
    let mut cat = lab.agent().spawn(&["cat"]);
    cat.process().write(b"one\ntwo\n");
    assert_eq!(cat.finish().ok(), "one\ntwo\n");
}

#[test]
fn sigterm_is_the_commands_to_answer() {
    let lab = Lab::bare();
    let script = "trap 'echo got it; exit 5' TERM; echo waiting; while :; do sleep 0.05; done";
    let mut agent = lab.agent().spawn(&["sh", "-c", script]);
    agent.process().wait_line("waiting");
    agent.process().signal(Signal::SIGTERM);
    let output = agent.finish();
    output.assert_status(5).assert_stdout("got it");
}

#[test]
fn the_command_is_whoever_called_sudo() {
    let lab = Lab::bare();
    let agent = lab.agent().env("SUDO_UID", "33").env("SUDO_GID", "33").env("SUDO_USER", "www-data");
    let output = agent.shell("id -un; id -gn; id -Gn; echo $HOME $USER $LOGNAME $SUDO_UID");
    assert_eq!(output.ok(), "www-data\nwww-data\nwww-data\n/var/www www-data www-data\n");
}

#[test]
fn the_environment_is_the_one_before_sudo() {
    let lab = Lab::bare();
    let sudo = lab.scratch.file("sudo");
    std::os::unix::fs::symlink("/bin/sh", &sudo).unwrap();
    // Stands there as sudo does: a parent that still has the user's environment.
    let script = "env -u DISPLAY SUDO_UID=33 SUDO_GID=33 SUDO_USER=www-data PATH=$PATH \"$@\"; exit $?";
    let agent =
        lab.agent().env("DISPLAY", ":7").env("XDG_SESSION_TYPE", "wayland").under(&[&sudo, "-c", script, "sudo"]);
    let output = agent.shell("echo $DISPLAY $XDG_SESSION_TYPE; id -u");
    assert_eq!(output.ok(), ":7 wayland\n33\n");
}

#[test]
fn the_user_can_be_chosen_by_name_or_number() {
    let lab = Lab::bare();
    for user in ["www-data", "33"] {
        let output = lab.agent().args(&["--user", user]).shell("id -un; id -gn; echo $HOME");
        assert_eq!(output.ok(), "www-data\nwww-data\n/var/www\n");
    }
}

#[test]
fn the_command_has_no_capability_even_as_root() {
    let lab = Lab::bare();
    for user in ["root", "www-data"] {
        let output = lab.agent().args(&["--user", user]).run(&["cat", "/proc/self/status"]);
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert!(output.ok().contains(&format!("{set}:\t0000000000000000\n")), "{set}: {}", output.stdout);
        }
        output.assert_stdout("NoNewPrivs:\t1\n");
    }
}

#[test]
fn the_command_inherits_no_descriptor_and_no_signal_mask() {
    let lab = Lab::bare();
    let agent = lab.agent().under(&["sh", "-c", "exec \"$@\" 7</etc/hostname 9>/dev/null", "sh"]);
    let output = agent.run(&[tests::PYTHON, "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))"]);
    // The fourth is the directory being listed.
    assert_eq!(output.ok(), "['0', '1', '2', '3']\n");
    let masks = ["grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"];
    let direct = tests::process::run(lab.host.command(masks[0]).args(&masks[1..]));
    assert_eq!(agent.run(&masks).ok(), direct.ok());
}

#[test]
fn a_directory_and_a_umask_are_kept() {
    let lab = Lab::bare();
    let directory = lab.scratch.path().to_str().unwrap();
    let script = format!("cd {directory}; umask 027; exec \"$@\"");
    let output = lab.agent().under(&["sh", "-c", &script, "sh"]).shell("pwd; umask");
    assert_eq!(output.ok(), format!("{directory}\n0027\n"));
}

#[test]
fn what_outlives_the_command_is_ended() {
    let lab = Lab::bare();
    let marker = lab.scratch.write("marker", "");
    let script =
        format!("setsid tail -f {marker} >/dev/null 2>&1 & (trap '' TERM; tail -F {marker} >/dev/null 2>&1) & exit 3");
    let output = lab.agent().shell(&script);
    output.assert_status(3);
    assert_eq!(running(&marker), Vec::<String>::new());
}

#[test]
fn wait_all_waits_for_what_outlives_the_command() {
    let lab = Lab::bare();
    let (gate, ended) = (lab.scratch.file("gate"), lab.scratch.file("ended"));
    tests::process::run(tests::tools::command("mkfifo").arg(&gate)).ok();
    let script = format!("setsid sh -c 'read line < {gate}; echo $line' & touch {ended}; exit 4");
    let mut agent = lab.agent().args(&["--wait-all"]).spawn(&["sh", "-c", &script]);
    eventually("the command has ended", || (fs::exists(&ended).unwrap() && running(&ended).is_empty()).then_some(()));
    assert!(agent.process().is_alive());
    fs::write(&gate, "late\n").unwrap();
    let output = agent.finish();
    output.assert_status(4);
    assert_eq!(output.stdout, "late\n");
}

#[test]
fn exec_joins_a_session_as_its_user() {
    let lab = Lab::bare();
    let session = lab.agent().args(&["--user", "www-data"]).up();
    let output = session.shell("id -un; readlink /proc/self/ns/net; grep -c . /proc/net/dev; exit 6");
    output.assert_status(6).assert_stdout("www-data\n");
    let other = session.agent(&["exec", session.name(), "--user", "nobody", "--", "id", "-un"]);
    assert_eq!(other.ok(), "nobody\n");
    session.down();
}

/// The command lines that name this file.
fn running(file: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    // Not the agent itself, which names the whole script.
    lines.filter(|line| line.contains(file) && !line.contains("--netns")).collect()
}
