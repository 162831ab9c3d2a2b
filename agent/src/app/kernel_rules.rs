//! The kernel's share of the rules: networks that it refuses, and what it does with single ports.

use std::net::IpAddr;

use agent_common::maps::PortAction;

use crate::ebpf::Error;
use crate::ebpf::dataplane::{Dataplane, Network};
use crate::engine::policy::network::NetworkRules;
use crate::engine::policy::{destination, rules::place};

/// Has the kernel follow `rules` from the beginning.
pub(super) fn set(dataplane: &mut Dataplane, rules: &NetworkRules) -> Result<(), Error> {
    let ports: Vec<(u16, PortAction)> = rules.all_ports().into_iter().collect();
    let refused: Vec<Network> = always().chain(rules.refuse.iter().map(network)).collect();
    dataplane.set_policy(&ports, &refused)
}

/// Has the kernel refuse all that `new` refuses, besides what `old` refused: the first half of a change. Whatever passes
/// in between, both would have let pass.
pub(super) fn restrict(dataplane: &mut Dataplane, old: &NetworkRules, new: &NetworkRules) -> Result<(), Error> {
    let refused: Vec<Network> = new.refuse.iter().map(network).collect();
    let stricter: Vec<(u16, PortAction)> = changes(old, new).filter(|(_, to)| *to == PortAction::Refuse).collect();
    dataplane.set_policy(&stricter, &refused)
}

/// Has the kernel let pass what `new` lets pass: the second half, when the proxy follows `new`.
pub(super) fn relax(dataplane: &mut Dataplane, old: &NetworkRules, new: &NetworkRules) -> Result<(), Error> {
    let ports: Vec<(u16, PortAction)> = changes(old, new).collect();
    dataplane.set_policy(&ports, &[])?;
    let gone = old.refuse.iter().filter(|network| !new.refuse.contains(network)).map(network);
    for network in gone.filter(|network| !always().any(|always| always == *network)) {
        dataplane.admit(network)?;
    }
    Ok(())
}

/// The ports that `new` treats in another way than `old`, and how.
fn changes(old: &NetworkRules, new: &NetworkRules) -> impl Iterator<Item = (u16, PortAction)> {
    let (before, after) = (old.all_ports(), new.all_ports());
    let gone = before.clone().into_keys().filter(|port| !new.all_ports().contains_key(port));
    let gone: Vec<(u16, PortAction)> = gone.map(|port| (port, PortAction::Default)).collect();
    after.into_iter().filter(move |(port, action)| before.get(port) != Some(action)).chain(gone)
}

/// What is refused in every session.
fn always() -> impl Iterator<Item = Network> {
    let v4 = destination::REFUSED_V4.iter().map(|&(ip, prefix)| Network::V4(ip, prefix));
    v4.chain(destination::REFUSED_V6.iter().map(|&(ip, prefix)| Network::V6(ip, prefix)))
}

fn network(network: &place::Network) -> Network {
    match network.address() {
        IpAddr::V4(ip) => Network::V4(ip, network.length()),
        IpAddr::V6(ip) => Network::V6(ip, network.length()),
    }
}
