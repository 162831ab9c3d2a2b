//! The child's side over UDP. A query may have been sent to any address, and its response leaves from that address.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use nix::cmsg_space;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::{Forwarder, Transport};
use crate::engine::wire::dns::HEADER;

/// The largest query that is read; the largest that a resolver has use for is far smaller. Of a larger one only the
/// header is looked at.
const LARGEST: usize = 4096;
/// How long to wait after the socket failed, so that a failure that stays does not keep a processor busy.
const PAUSE: Duration = Duration::from_millis(20);

/// A socket that tells where a datagram was sent to, and sends from there.
pub(super) struct Socket(UdpSocket);

/// A query as it arrived.
struct Datagram {
    bytes: Vec<u8>,
    child: SocketAddr,
    /// Which of our addresses it was sent to.
    to: Local,
}

/// An address of ours.
#[derive(Clone, Copy)]
enum Local {
    V4(Ipv4Addr),
    /// With the index of the interface, which a link-local address needs.
    V6(Ipv6Addr, u32),
}

/// Answers what arrives at `socket`.
pub(super) async fn serve(forwarder: Arc<Forwarder>, socket: Arc<Socket>) {
    loop {
        match socket.receive().await {
            Ok(Some(query)) => {
                tokio::spawn(answer(Arc::clone(&forwarder), Arc::clone(&socket), query));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "cannot receive DNS queries");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn answer(forwarder: Arc<Forwarder>, socket: Arc<Socket>, query: Datagram) {
    let Some(response) = forwarder.answer(&query.bytes, query.child, Transport::Udp).await else { return };
    if let Err(error) = socket.send(&response, query.child, query.to).await {
        tracing::debug!(%error, child = %query.child, "cannot send a DNS response");
    }
}

impl Socket {
    /// Takes over a bound socket.
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        if socket.local_addr()?.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            // The child's addressees are local by route only, and IPv6 sends from no such address otherwise.
            socket2::SockRef::from(&socket).set_freebind_v6(true)?;
        }
        Ok(Self(UdpSocket::from_std(socket)?))
    }

    /// The next datagram; `None` if it does not say where it was sent to.
    async fn receive(&self) -> io::Result<Option<Datagram>> {
        self.0.async_io(Interest::READABLE, || self.try_receive()).await
    }

    fn try_receive(&self) -> io::Result<Option<Datagram>> {
        let mut bytes = vec![0; LARGEST];
        let mut control = cmsg_space!(in6_pktinfo);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let received =
            recvmsg::<SockaddrStorage>(self.0.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
        let (child, to) =
            (received.address.as_ref().and_then(address), received.cmsgs()?.find_map(|info| local(&info)));
        let whole = !received.flags.contains(MsgFlags::MSG_TRUNC);
        let length = if whole { received.bytes } else { HEADER };
        bytes.truncate(length);
        Ok(child.zip(to).map(|(child, to)| Datagram { bytes, child, to }))
    }

    async fn send(&self, response: &[u8], child: SocketAddr, from: Local) -> io::Result<()> {
        self.0.async_io(Interest::WRITABLE, || self.try_send(response, child, from)).await
    }

    fn try_send(&self, response: &[u8], child: SocketAddr, from: Local) -> io::Result<()> {
        let send = |info: ControlMessage<'_>| {
            let to = SockaddrStorage::from(child);
            sendmsg(self.0.as_raw_fd(), &[IoSlice::new(response)], &[info], MsgFlags::MSG_DONTWAIT, Some(&to))
        };
        match from {
            Local::V4(ip) => {
                let source = in_addr { s_addr: u32::from(ip).to_be() };
                send(ControlMessage::Ipv4PacketInfo(&in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: source,
                    ipi_addr: in_addr { s_addr: 0 },
                }))
            }
            Local::V6(ip, interface) => send(ControlMessage::Ipv6PacketInfo(&in6_pktinfo {
                ipi6_addr: in6_addr { s6_addr: ip.octets() },
                ipi6_ifindex: if ip.is_unicast_link_local() { interface } else { 0 },
            })),
        }?;
        Ok(())
    }
}

fn address(from: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = from.as_sockaddr_in().map(|from| SocketAddr::V4((*from).into()));
    v4.or_else(|| from.as_sockaddr_in6().map(|from| SocketAddr::V6((*from).into())))
}

fn local(info: &ControlMessageOwned) -> Option<Local> {
    match info {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Local::V4(u32::from_be(info.ipi_addr.s_addr).into())),
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(Local::V6(info.ipi6_addr.s6_addr.into(), info.ipi6_ifindex)),
        _ => None,
    }
}
