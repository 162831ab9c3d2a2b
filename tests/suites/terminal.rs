//! A terminal works as without the agent: size, Ctrl-C, resizing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use tests::{Agent, Lab, Output, PYTHON, process, tools};

/// Runs a command under the agent on a pseudoterminal of 40 lines and 100 columns. `doing` is what the terminal's user
/// does after the line `waiting`.
fn on_a_terminal(agent: &Agent<'_>, doing: &str, argv: &[&str]) -> Output {
    let inner = agent.command();
    let mut command = tools::command(PYTHON);
    command.args([&tools::program("terminal.py"), doing]).arg(inner.get_program()).args(inner.get_args());
    let output = process::run(command.arg("--").args(argv));
    tests::Leftovers::of(agent.name()).assert_clean();
    output
}

#[test]
fn the_command_has_the_terminal_and_its_size() {
    let lab = Lab::bare();
    let script = "test -t 0 && test -t 1 && test -t 2 && stty size; exit 3";
    let output = on_a_terminal(&lab.agent(), "nothing", &["sh", "-c", script]);
    output.assert_status(3);
    assert_eq!(output.stdout, "40 100\r\n");
}

#[test]
fn ctrl_c_ends_the_command_and_the_agent_returns_its_status() {
    let lab = Lab::bare();
    on_a_terminal(&lab.agent(), "interrupt", &["sh", "-c", "echo waiting; exec sleep 100"]).assert_status(130);
}

#[test]
fn what_the_terminal_signals_reaches_the_command_once_and_it_may_go_on() {
    let lab = Lab::bare();
    for (doing, signal, size) in [("interrupt", "SIGINT", "100 40"), ("resize", "SIGWINCH", "120 50")] {
        let output = on_a_terminal(&lab.agent(), doing, &[PYTHON, &tools::program("signalled.py"), signal]);
        output.assert_status(9);
        assert!(output.stdout.contains(&format!("signalled {size}\r\n")), "{output:#?}");
        assert!(output.stdout.contains("got hello once"), "{output:#?}");
    }
}
