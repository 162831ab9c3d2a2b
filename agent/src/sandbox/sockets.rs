//! The sockets that live in the gateway's namespace: made there once, used by the worker ever after.
//!
//! All but the DNS datagram sockets are bound to loopback, where the child cannot reach them except through `steer`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use agent_common::maps::Listener;
use socket2::{Domain, Protocol, Socket, Type};

use super::Error;
use super::link::{GATEWAY4, GATEWAY6};

/// How many connections may wait to be accepted; `net.core.somaxconn` of the gateway allows as many.
const BACKLOG: i32 = 4096;

/// The sockets, in the order of [`Listener`].
pub struct Sockets(pub [OwnedFd; Listener::COUNT as usize]);

/// Makes the sockets in the calling thread's namespace, which must have its addresses.
///
/// # Errors
/// If one cannot be made or bound.
pub fn create() -> Result<Sockets, Error> {
    let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    // The order of `Listener`: its numbers index both the array and the BPF map.
    Ok(Sockets([listen(v4)?, listen(v6)?, listen(v4)?, listen(v6)?, dns(GATEWAY4.into())?, dns(GATEWAY6.into())?]))
}

fn listen(ip: IpAddr) -> Result<OwnedFd, Error> {
    let bind = || {
        let address = SocketAddr::new(ip, 0);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    bind().map_err(Error::system("open a listener in the gateway namespace"))
}

/// Bound to the port itself: the source port of an answer is the port that the socket is bound to.
fn dns(ip: IpAddr) -> Result<OwnedFd, Error> {
    let bind = || {
        let address = SocketAddr::new(ip, 53);
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // Answers leave from whatever address was asked.
            socket.set_freebind_v6(true)?;
        }
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    bind().map_err(Error::system("open a DNS socket in the gateway namespace"))
}
