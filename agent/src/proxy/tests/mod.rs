//! The proxy between real clients and origins, all on loopback. What the kernel would know is faked: every connection
//! has a flow to the address it came in on, which is dialled at the origin's.

mod http;
mod lab;
mod relay;
mod tls;
