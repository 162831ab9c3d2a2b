//! The socket that sees every packet on the gateway's end of the veth: before the programs judge what the child sends,
//! and after them what goes back. It sends nothing.

use std::io;
use std::os::fd::OwnedFd;

use nix::libc;
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns, SetBool};
use nix::sys::socket::{bind, setsockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::Error;

/// Bytes that may wait to be read, as the kernel counts them. Only what is used of it takes memory.
const QUEUE: usize = 64 << 20;

/// Has each packet come with what the kernel took off it, such as a VLAN tag.
#[derive(Clone, Copy, Debug)]
struct AuxiliaryData;

nix::setsockopt_impl!(AuxiliaryData, libc::SOL_PACKET, libc::PACKET_AUXDATA, bool, SetBool);

/// Opens the socket in the calling thread's namespace, for one of its devices, which need not be up.
///
/// # Errors
/// If the kernel has no packet sockets, or no such device.
pub fn open(link: &str) -> Result<OwnedFd, Error> {
    let open = || {
        let every = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), Some(every))?;
        setsockopt(&socket, RcvBufForce, &QUEUE)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, AuxiliaryData, &true)?;
        attach(&socket, link)?;
        Ok(socket.into())
    };
    open().map_err(Error::system("open a packet socket in the gateway namespace"))
}

/// From here on it hears this device alone. The device's address comes from the list of devices: nothing else makes one
/// in safe code.
fn attach(socket: &Socket, link: &str) -> io::Result<()> {
    let devices = nix::ifaddrs::getifaddrs()?.filter(|device| device.interface_name == link);
    let address = devices.filter_map(|device| device.address).find_map(|address| address.as_link_addr().copied());
    bind(std::os::fd::AsRawFd::as_raw_fd(socket), &address.ok_or(nix::Error::ENODEV)?)?;
    Ok(())
}
