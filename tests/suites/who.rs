//! Every connection names the process that opened it, whatever kind of process it was and however short it lived.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use std::collections::HashMap;
use std::fs;

use serde_json::Value;
use tests::{Lab, ORIGIN4, ORIGIN6, PYTHON, Session, eventually, process, tools};

/// The connections of a session, by the child's port.
fn connections(session: &Session<'_>) -> HashMap<u64, Value> {
    let stats = session.stats();
    let port = |connection: &Value| {
        let child = connection["child"].as_str().unwrap();
        child.rsplit_once(':').unwrap().1.parse().unwrap()
    };
    stats["connections"].as_array().unwrap().iter().map(|one| (port(one), one.clone())).collect()
}

/// What `who.py` said: what it executes, and port, process and thread of each connection.
fn said(output: &str) -> (String, Vec<[u64; 3]>) {
    let mut lines = output.lines();
    let executable = lines.next().unwrap().to_owned();
    let numbers = |line: &str| {
        let numbers: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    };
    (executable, lines.map(numbers).collect())
}

/// Checks every connection that `who.py` spoke of, and returns what it said.
fn check(session: &Session<'_>, output: &str) -> Vec<[u64; 3]> {
    let connections = connections(session);
    let (executable, said) = said(output);
    for [port, process, thread] in &said {
        let found = &connections[port]["process"];
        assert_eq!((found["tgid"].as_u64(), found["pid"].as_u64()), (Some(*process), Some(*thread)), "{found:#}");
        assert_eq!(found["executable"], executable, "{found:#}");
        assert_eq!((&found["uid"], &found["user"]), (&0.into(), &"root".into()), "{found:#}");
        assert_eq!(found["cgroup_path"], "/", "{found:#}");
    }
    said
}

/// Runs `who.py` and checks what it said.
fn connect(session: &Session<'_>, way: &str, address: &str, count: usize) -> Vec<[u64; 3]> {
    let program = tools::program("who.py");
    let output = session.exec(&[PYTHON, &program, way, address, "80", &count.to_string()]);
    let said = check(session, output.ok());
    assert_eq!(said.len(), count, "{output:#?}");
    said
}

#[test]
fn a_connection_names_its_process_however_it_is_made() {
    let lab = Lab::new();
    let session = lab.agent().up();
    for way in ["plain", "nonblocking", "bound", "fork", "vanish", "fastopen", "fastopen_connect", "mptcp"] {
        for address in [ORIGIN4, ORIGIN6] {
            connect(&session, way, address, 2);
        }
    }
    session.down();
}

#[test]
fn a_thread_is_told_from_its_process() {
    let lab = Lab::new();
    let session = lab.agent().up();
    for address in [ORIGIN4, ORIGIN6] {
        let said = connect(&session, "thread", address, 3);
        assert!(said.iter().all(|[_, process, thread]| process != thread), "{said:?}");
    }
    session.down();
}

#[test]
fn an_ipv6_socket_that_sends_ipv4_is_known() {
    let lab = Lab::new();
    let session = lab.agent().up();
    let said = connect(&session, "plain", &format!("::ffff:{ORIGIN4}"), 2);
    let connection = &connections(&session)[&said[0][0]];
    assert_eq!(connection["orig_dst"], format!("{ORIGIN4}:80"));
    session.down();
}

#[test]
fn a_socket_that_was_refused_before_is_known() {
    let lab = Lab::new();
    let session = lab.agent().enforce().up();
    for address in [ORIGIN4, ORIGIN6] {
        connect(&session, "again", address, 2);
    }
    session.down();
}

#[test]
fn processes_that_end_at_once_are_named_all() {
    let lab = Lab::new();
    let session = lab.agent().up();
    let said = connect(&session, "vanish", ORIGIN4, 100);
    assert_eq!(said.iter().map(|[_, process, _]| process).collect::<std::collections::HashSet<_>>().len(), 100);
    session.down();
}

#[test]
fn many_connections_of_processes_at_the_same_time_are_not_mixed_up() {
    let lab = Lab::new();
    let session = lab.agent().up();
    let program = tools::program("who.py");
    let start = |way: &str| session.spawn(&[PYTHON, &program, way, ORIGIN4, "80", "150"]);
    let started: Vec<_> = ["plain", "thread", "plain", "nonblocking", "fork"].map(start).into();
    let mut processes = std::collections::HashSet::new();
    for process in started {
        let said = check(&session, process.finish().ok());
        assert_eq!(said.len(), 150);
        processes.extend(said.iter().map(|[_, process, _]| *process));
    }
    assert_eq!(processes.len(), 4 + 150);
    session.down();
}

#[test]
fn the_table_the_json_and_the_log_name_the_process() {
    let lab = Lab::new();
    let session = lab.agent().args(&["--user", "www-data"]).up();
    let output = session.shell("echo $$; exec curl -sS http://origin.test/hello");
    let pid = output.ok().lines().next().unwrap();
    let stats = session.stats();
    let found = &stats["connections"][0]["process"];
    assert_eq!(found["executable"], "/usr/bin/curl");
    assert_eq!((&found["comm"], &found["user"]), (&"curl".into(), &"www-data".into()));
    let table = session.agent(&["stats", session.name()]);
    let row = table.ok().lines().find(|line| line.starts_with(ORIGIN4)).unwrap();
    assert!(row.contains(&format!("curl[{pid}]")), "{row}");
    let logged = processes(&session.log()).remove(0);
    assert_eq!((&logged["executable"], &logged["tgid"]), (&found["executable"], &found["tgid"]));
    assert_eq!(found["tgid"].to_string(), *pid);
    session.down();
}

#[test]
fn a_process_from_outside_the_sessions_group_has_no_name() {
    let lab = Lab::new();
    let session = lab.agent().up();
    process::run(session.as_root("curl").args(["-sS", &format!("http://{ORIGIN4}/hello")])).ok();
    assert_eq!(session.stats()["connections"][0]["process"], Value::Null);
    let table = session.agent(&["stats", session.name()]);
    let row = table.ok().lines().find(|line| line.starts_with(ORIGIN4)).unwrap();
    assert_eq!(row.split_whitespace().nth(2), Some("-"), "{row}");
    session.down();
}

#[test]
fn a_port_that_is_used_again_names_who_uses_it_now() {
    let lab = Lab::new();
    let session = lab.agent().up();
    let script = "import socket, struct, sys; s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', int(sys.argv[2])))
s.connect((sys.argv[1], 80)); print(s.getsockname()[1])
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))";
    let inside = |port: &str| session.exec(&[PYTHON, "-c", script, ORIGIN4, port]).ok().trim().to_owned();
    let outside = |port| process::run(session.as_root(PYTHON).args(["-c", script, ORIGIN4, port])).ok().to_owned();
    let port = inside("0");
    let owner = || connections(&session)[&port.parse().unwrap()]["process"].clone();
    let first = owner();
    assert!(first["tgid"].is_u64(), "{first:#}");
    outside(&port);
    assert_eq!(owner(), Value::Null);
    inside(&port);
    let third = owner();
    assert!(third["tgid"].is_u64() && third["tgid"] != first["tgid"], "{third:#}");
    session.down();
}

#[test]
fn a_control_group_below_the_sessions_is_named() {
    let lab = Lab::new();
    let session = lab.agent().up();
    let facts: Value = serde_json::from_str(session.agent(&["status", session.name(), "--json"]).ok()).unwrap();
    let group = format!("{}/below", facts["cgroup"].as_str().unwrap());
    fs::create_dir(&group).unwrap();
    let gate = lab.scratch.file("gate");
    process::run(tools::command("mkfifo").arg(&gate)).ok();
    let script = format!("echo $$; read line < {gate}; exec curl -sS http://{ORIGIN4}/hello");
    let mut shell = session.spawn(&["sh", "-c", &script]);
    let pid = shell.wait_output(|text| text.contains('\n').then(|| text.trim().to_owned()));
    fs::write(format!("{group}/cgroup.procs"), pid).unwrap();
    fs::write(&gate, "go\n").unwrap();
    shell.finish().ok();
    let found = session.stats()["connections"][0]["process"].clone();
    assert_eq!((&found["cgroup_path"], &found["executable"]), (&"/below".into(), &"/usr/bin/curl".into()), "{found:#}");
    eventually("the group is empty", || fs::remove_dir(&group).ok());
    // A number is left of it.
    let found = session.stats()["connections"][0]["process"].clone();
    assert_eq!((&found["cgroup_path"], found["cgroup"].is_u64()), (&Value::Null, true), "{found:#}");
    session.down();
}

#[test]
fn an_executables_path_goes_through_mounts_and_may_be_long_or_in_memory() {
    let lab = Lab::new();
    let deep = format!("/mnt/{}", ["directory-of-no-use"; 16].join("/"));
    let script = format!(
        "mount -t tmpfs none /mnt && mkdir -p {deep} && cp /usr/bin/curl /mnt/tool && cp /usr/bin/curl {deep}/tool \
         && mkdir /mnt/again && mount --bind /mnt/again /mnt/again && cp /usr/bin/curl /mnt/again/tool && exec \"$@\""
    );
    let memory = "import os, sys; fd = os.memfd_create('tool'); os.write(fd, open('/usr/bin/curl', 'rb').read()); \
                  os.execve(fd, ['curl'] + sys.argv[1:], os.environ)";
    let agent = lab.agent().under(&["unshare", "--mount", "sh", "-c", &script, "sh"]);
    let memory = lab.scratch.write("memory.py", memory);
    let url = format!("-sS http://{ORIGIN4}/hello");
    let commands = ["/mnt/tool", "/mnt/again/tool", &format!("{deep}/tool"), &format!("{PYTHON} {memory}")];
    agent.shell(&commands.map(|command| format!("{command} {url}")).join(" && ")).ok();
    // The whole names that fit into 256 bytes, each with its end.
    let end = format!("{}/tool", ["directory-of-no-use"; 12].join("/"));
    let processes = processes(&agent.log());
    let executables: Vec<&str> = processes.iter().map(|process| process["executable"].as_str().unwrap()).collect();
    assert_eq!(executables, ["/mnt/tool", "/mnt/again/tool", &end, "memfd:tool"]);
}

#[test]
fn a_kernel_that_does_not_describe_itself_names_processes_without_executables() {
    let lab = Lab::new();
    let script = "mount --bind /dev/null /sys/kernel/btf/vmlinux && exec \"$@\"";
    let agent = lab.agent().under(&["unshare", "--mount", "sh", "-c", script, "sh"]);
    agent.run(&["curl", "-sS", &format!("http://{ORIGIN4}/hello")]).ok();
    let process = processes(&agent.log()).remove(0);
    assert_eq!((&process["comm"], &process["executable"]), (&"curl".into(), &Value::Null), "{process:#}");
    assert!(process["tgid"].is_u64(), "{process:#}");
}

/// The processes of the connections in a log, in their order.
fn processes(log: &str) -> Vec<Value> {
    let accepted = log.lines().filter(|line| line.contains("connection_accepted"));
    let events = accepted.map(|line| serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap());
    events.map(|event: Value| event["process"].clone()).collect()
}
