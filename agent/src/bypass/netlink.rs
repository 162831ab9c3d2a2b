//! Requests to change the network namespace that one is in: links, addresses, routes, qdiscs, packet filters.

use std::io;
use std::time::Duration;

use nix::libc;
use rtnetlink::Handle;
use socket2::SockAddr;

use super::{Target, raw};

/// `NLM_F_REQUEST` and `NLM_F_ACK` (linux/netlink.h).
const REQUEST: u16 = 1;
const ACK: u16 = 4;
/// How long the kernel may take to answer.
const PATIENCE: Duration = Duration::from_millis(200);

/// Makes a request about the session's device, whose index it is given.
///
/// # Errors
/// The kernel's.
pub fn request(target: &Target, ask: impl AsyncFnOnce(&Handle, u32) -> Result<(), rtnetlink::Error>) -> io::Result<()> {
    let device = index(&target.device)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        ask(&handle, device).await.map_err(|error| match error {
            rtnetlink::Error::NetlinkError(message) => io::Error::from_raw_os_error(message.raw_code().abs()),
            error => io::Error::other(error.to_string()),
        })
    })
}

/// The index of a device.
///
/// # Errors
/// If there is none of that name.
pub fn index(device: &str) -> io::Result<u32> {
    Ok(nix::net::if_::if_nametoindex(device)?)
}

/// Makes a table of packet filters (linux/netfilter/nf_tables.h), as `nft add table inet NAME` does.
///
/// # Errors
/// The kernel's.
pub fn new_nftables_table(name: &str) -> io::Result<()> {
    const BATCH_BEGIN: u16 = 16;
    const BATCH_END: u16 = 17;
    /// `NFNL_SUBSYS_NFTABLES` and `NFT_MSG_NEWTABLE`.
    const NEW_TABLE: u16 = 10 << 8;
    const CREATE: u16 = 0x400;
    let mut attribute = Vec::from(u16::try_from(name.len() + 5).map_err(io::Error::other)?.to_ne_bytes());
    attribute.extend(1_u16.to_ne_bytes());
    attribute.extend(name.as_bytes());
    attribute.resize(attribute.len().next_multiple_of(4).max(attribute.len() + 1).next_multiple_of(4), 0);
    // Family (inet), version, and the number of the subsystem in network byte order.
    let batch = |kind, flags, number| message(kind, flags, number, &[0, 0, 0, 10]);
    let table = message(NEW_TABLE, REQUEST | ACK | CREATE, 2, &[&[1, 0, 0, 0][..], &attribute].concat());
    let bytes = [batch(BATCH_BEGIN, REQUEST, 1), table, batch(BATCH_END, REQUEST, 3)].concat();
    say(libc::NETLINK_NETFILTER, &bytes)
}

/// Asks the kernel's end of a protocol an empty question of this type.
///
/// # Errors
/// The kernel's.
pub fn ask(protocol: i32, kind: u16) -> io::Result<()> {
    say(protocol, &message(kind, REQUEST | ACK, 1, &[]))
}

/// Sends messages and takes the first acknowledgement.
fn say(protocol: i32, messages: &[u8]) -> io::Result<()> {
    let socket = raw::socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol)?;
    let kernel: SockAddr = raw::address(&[&(libc::AF_NETLINK as u16).to_ne_bytes()[..], &[0; 10]].concat())?;
    socket.send_to(messages, &kernel)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut answer = [0; 1024];
    let length = io::Read::read(&mut &socket, &mut answer)?;
    // An acknowledgement: a header of 16 bytes, then the error, negative.
    let code = answer[..length].get(16..20).and_then(|code| code.try_into().ok()).map_or(0, i32::from_ne_bytes);
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) }
}

/// A netlink message: length, type, flags, sequence number, port.
fn message(kind: u16, flags: u16, number: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap_or(0);
    let mut bytes = Vec::from(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(number.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes
}
