//! Which name the child asked for when it was given an address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::wire::dns::Address;

/// How many addresses are remembered.
const CAPACITY: usize = 8192;
/// For how long at least: programs go on using an address after its time to live.
const SHORTEST: Duration = Duration::from_secs(10 * 60);
/// For how long at most.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Names by address, in bounded number. Of two names with one address, the one asked for last.
#[derive(Debug, Default)]
pub struct Names {
    known: Mutex<HashMap<IpAddr, Known>>,
}

#[derive(Debug)]
struct Known {
    name: String,
    until: Instant,
}

impl Names {
    /// The name that the child last asked for and was given `ip`.
    #[must_use]
    pub fn name_of(&self, ip: IpAddr) -> Option<String> {
        let known = self.lock();
        known.get(&ip).filter(|known| known.until > Instant::now()).map(|known| known.name.clone())
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
            known.insert(address.ip, Known { name: name.to_owned(), until });
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
