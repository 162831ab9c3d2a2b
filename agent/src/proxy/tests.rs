//! The proxy against real clients and origins on loopback.
