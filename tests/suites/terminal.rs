//! A terminal works as without the agent: size, Ctrl-C, resizing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use tests::{Agent, Lab, Output, PYTHON, process, tools};

/// Runs a shell script under the agent on a pseudoterminal of 40 lines and 100 columns. `doing` is what the terminal's
/// user does after the line `waiting`.
fn on_a_terminal(agent: &Agent<'_>, doing: &str, script: &str) -> Output {
    let inner = agent.command();
    let mut command = tools::command(PYTHON);
    command.args([&tools::program("terminal.py"), doing]).arg(inner.get_program()).args(inner.get_args());
    let output = process::run(command.args(["--", "sh", "-c", script]));
    tests::Leftovers::of(agent.name()).assert_clean();
    output
}

#[test]
fn the_command_has_the_terminal_and_its_size() {
    let lab = Lab::bare();
    let output = on_a_terminal(&lab.agent(), "nothing", "test -t 0 && test -t 1 && test -t 2 && stty size; exit 3");
    output.assert_status(3);
    assert_eq!(output.stdout, "40 100\r\n");
}

#[test]
fn ctrl_c_ends_the_command_and_the_agent_returns_its_status() {
    let lab = Lab::bare();
    // It starts no process while it waits: dash may lose a signal that arrives as it does.
    let script = "trap 'echo interrupted; exit 9' INT; echo waiting; while :; do read line; done";
    let output = on_a_terminal(&lab.agent(), "interrupt", script);
    output.assert_status(9).assert_stdout("interrupted");
    assert_eq!(output.stdout.matches("interrupted").count(), 1, "{output:#?}");
    let output = on_a_terminal(&lab.agent(), "interrupt", "echo waiting; exec sleep 100");
    output.assert_status(130);
}

#[test]
fn a_command_that_ignores_ctrl_c_goes_on() {
    let lab = Lab::bare();
    // A trapped signal ends a `read` in some shells: it is then asked again.
    let script = "trap 'echo no' INT; echo waiting; until read line; do :; done; echo got $line; exit 2";
    let output = on_a_terminal(&lab.agent(), "interrupt-and-type", script);
    output.assert_status(2).assert_stdout("got hello");
}

#[test]
fn a_new_size_reaches_the_command() {
    let lab = Lab::bare();
    let script = "trap 'stty size; exit 0' WINCH; echo waiting; while :; do read line; done";
    let output = on_a_terminal(&lab.agent(), "resize", script);
    output.assert_status(0).assert_stdout("50 120");
}
