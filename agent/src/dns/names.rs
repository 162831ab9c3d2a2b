//! Which name the child asked for when it was given an address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::policy::host::comparable;
use crate::engine::wire::dns::Address;

/// How many addresses are remembered.
const CAPACITY: usize = 8192;
/// For how long at least: programs go on using an address after its time to live.
const SHORTEST: Duration = Duration::from_secs(10 * 60);
/// For how long at most.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How many names of one address are remembered.
const NAMES: usize = 64;

/// Names by address, in bounded number.
#[derive(Debug, Default)]
pub struct Names {
    known: Mutex<HashMap<IpAddr, Known>>,
}

#[derive(Debug)]
struct Known {
    /// The one asked for last at the end.
    names: Vec<String>,
    until: Instant,
}

impl Names {
    /// The name that the child last asked for and was given `ip`.
    #[must_use]
    pub fn name_of(&self, ip: IpAddr) -> Option<String> {
        let known = self.lock();
        known.get(&ip).filter(|known| known.until > Instant::now()).and_then(|known| known.names.last().cloned())
    }

    /// Whether the child has asked for `name`, in lower case and without a final dot, and was given `ip`.
    #[must_use]
    pub fn gave(&self, name: &str, ip: IpAddr) -> bool {
        let known = self.lock();
        let known = known.get(&ip).filter(|known| known.until > Instant::now());
        known.is_some_and(|known| known.names.iter().any(|known| comparable(known) == name))
    }

    /// Remembers that `name` gave `addresses`.
    pub(super) fn learn(&self, name: &str, addresses: &[Address]) {
        self.learn_at(name, addresses, Instant::now());
    }

    fn learn_at(&self, name: &str, addresses: &[Address], now: Instant) {
        let mut known = self.lock();
        for address in addresses {
            if known.len() >= CAPACITY && !known.contains_key(&address.ip) {
                forget(&mut known, now);
            }
            let until = now + Duration::from_secs(address.ttl.into()).clamp(SHORTEST, LONGEST);
            let known = known.entry(address.ip).or_insert_with(|| Known { names: Vec::new(), until });
            known.names.retain(|known| known != name);
            if known.names.len() >= NAMES {
                known.names.remove(0);
            }
            known.names.push(name.to_owned());
            known.until = known.until.max(until);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Known>> {
        // Nothing panics while it is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room: forgets what has expired or, if nothing has, what expires first.
fn forget(known: &mut HashMap<IpAddr, Known>, now: Instant) {
    known.retain(|_, known| known.until > now);
    if known.len() >= CAPACITY {
        let first = known.iter().min_by_key(|(_, known)| known.until).map(|(ip, _)| *ip);
        first.and_then(|ip| known.remove(&ip));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: usize, ttl: u32) -> Address {
        Address { ip: Ipv4Addr::from(u32::try_from(number).unwrap()).into(), ttl }
    }

    #[test]
    fn the_last_name_of_an_address_is_known() {
        let names = Names::default();
        names.learn("a.test", &[address(1, 60), address(2, 60)]);
        names.learn("b.test", &[address(2, 0)]);
        assert_eq!(names.name_of(address(1, 0).ip).as_deref(), Some("a.test"));
        assert_eq!(names.name_of(address(2, 0).ip).as_deref(), Some("b.test"));
        assert_eq!(names.name_of(address(3, 0).ip), None);
        for (name, number, expect) in
            [("a.test", 1, true), ("a.test", 2, true), ("b.test", 2, true), ("b.test", 1, false)]
        {
            assert_eq!(names.gave(name, address(number, 0).ip), expect, "{name} {number}");
        }
    }

    #[test]
    fn what_expires_first_makes_room() {
        let (names, now) = (Names::default(), Instant::now());
        names.learn_at("short.test", &[address(0, 1)], now);
        for number in 1..=CAPACITY {
            names.learn_at("long.test", &[address(number, 3600)], now);
        }
        assert_eq!(names.lock().len(), CAPACITY);
        assert_eq!(names.name_of(address(0, 0).ip), None);
        assert!(names.name_of(address(1, 0).ip).is_some());
        names.learn_at("new.test", &[address(CAPACITY + 1, 60)], now + LONGEST);
        assert_eq!(names.lock().len(), 1, "all others have expired");
    }
}
