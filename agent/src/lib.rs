//! Runs a program in its own network namespace, where eBPF redirects its traffic to a proxy that reads, forwards and
//! contains it. The binary `agent` is [`cli::main`]; docs/architecture.md maps the rest.

pub mod app;
pub mod bypass;
pub mod capture;
pub mod cli;
pub mod config;
pub mod dns;
pub mod ebpf;
pub mod engine;
pub mod proxy;
pub mod sandbox;
pub mod ui;
