//! The harness of the privileged suites.
