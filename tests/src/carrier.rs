//! What carries HTTP between client and server. A test of fidelity runs over each carrier.

use crate::lab::Lab;
use crate::session::Session;

/// A carrier, and what chooses it.
pub struct Carrier {
    /// What a failing test calls it.
    pub name: &'static str,
    /// Options of `agent run`.
    pub options: &'static [&'static str],
}

/// Every carrier that the agent has.
pub const CARRIERS: &[Carrier] =
    &[Carrier { name: "verbatim", options: &[] }, Carrier { name: "terminate", options: &["--carrier", "terminate"] }];

impl Lab {
    /// Runs a test once for each carrier, in a session of its own.
    ///
    /// # Panics
    /// If the test does; which carrier it was is then on standard error.
    pub fn over_each_carrier(&self, test: impl Fn(&Session<'_>)) {
        self.over_each_carrier_and(&[], test);
    }

    /// Runs a test once for each carrier, in a session of `mode` with these rules.
    ///
    /// # Panics
    /// If the test does; which carrier it was is then on standard error.
    pub fn over_each_carrier_with(&self, mode: &str, rules: &str, test: impl Fn(&Session<'_>)) {
        let file = self.scratch.write("rules.toml", rules);
        self.over_each_carrier_and(&["--mode", mode, "--config", &file], test);
    }

    fn over_each_carrier_and(&self, options: &[&str], test: impl Fn(&Session<'_>)) {
        for carrier in CARRIERS {
            let named = Named(carrier);
            let session = self.agent().args(carrier.options).args(options).up();
            test(&session);
            session.down();
            drop(named);
        }
    }

    /// Runs a test over the verbatim carrier alone: docs/fidelity.md says why the other cannot.
    pub fn over_verbatim(&self, test: impl Fn(&Session<'_>)) {
        let session = self.agent().args(CARRIERS[0].options).up();
        test(&session);
        session.down();
    }
}

/// Says which carrier it was when a test panics.
struct Named(&'static Carrier);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("over the carrier `{}`", self.0.name);
        }
    }
}
