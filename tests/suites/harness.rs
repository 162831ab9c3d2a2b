//! The harness itself: a test that panics leaves nothing.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tests::{Lab, Leftovers};

#[test]
fn a_panic_takes_namespaces_servers_files_and_sessions_with_it() {
    let seen = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&seen);
    let test = std::thread::spawn(move || {
        let lab = Lab::new();
        let session = lab.agent().up();
        let traces = (lab.host.path(), lab.inet.path(), lab.scratch.path().to_owned(), session.name().to_owned());
        *noted.lock().unwrap() = Some((traces, Leftovers::of_running(session.name())));
        panic!("on purpose");
    });
    assert!(test.join().is_err());
    let ((host, inet, scratch, _name), leftovers) = seen.lock().unwrap().take().unwrap();
    for path in [host.as_path(), &inet, &scratch] {
        assert!(!Path::new(path).exists(), "{}", path.display());
    }
    leftovers.assert_clean();
}
