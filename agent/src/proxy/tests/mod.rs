//! The proxy between real clients and origins, all on loopback. What the kernel would know is faked: every connection
//! has a flow to the address it came in on, which is dialled at the origin's.

mod destinations;
mod handshakes;
mod hellos;
mod http;
mod identity;
mod lab;
mod opening;
mod pinning;
mod relay;
mod secrets;
mod tls;
mod tls_lab;
