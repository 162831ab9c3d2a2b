//! The veth and everything that makes two namespaces a closed pair: addresses, AnyIP routes, permanent neighbours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkFlags, LinkMessage};
use rtnetlink::packet_route::neighbour::NeighbourState;
use rtnetlink::packet_route::route::{RouteMessage, RouteScope, RouteType};
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use super::Error;

/// The gateway's IPv4 address, where the child's resolver points.
pub const GATEWAY4: Ipv4Addr = Ipv4Addr::new(10, 200, 1, 1);
/// The child's IPv4 address.
pub const CHILD4: Ipv4Addr = Ipv4Addr::new(10, 200, 1, 2);
/// The gateway's IPv6 address. Unique local (RFC 4193), so that programs prefer IPv4 where a name has both (RFC 6724):
/// the host may have no IPv6.
pub const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfd0a, 0xc801, 0, 0, 0, 0, 0, 1);
/// The child's IPv6 address.
pub const CHILD6: Ipv6Addr = Ipv6Addr::new(0xfd0a, 0xc801, 0, 0, 0, 0, 0, 2);
/// Hardware address of the gateway's end: locally administered, unicast.
pub const GATEWAY_MAC: [u8; 6] = [0x02, 0xa9, 0xe7, 0, 0, 1];
/// Hardware address of the child's end.
pub const CHILD_MAC: [u8; 6] = [0x02, 0xa9, 0xe7, 0, 0, 2];
/// Name of the gateway's end.
pub const GATEWAY_LINK: &str = "gw0";
/// Name of the child's end.
pub const CHILD_LINK: &str = "eth0";
/// Index of the gateway's end, chosen so that it is known before the link exists; far above what a new namespace has.
pub const GATEWAY_IFINDEX: u32 = 1000;
/// Index of the child's end.
const CHILD_IFINDEX: u32 = 1001;
/// Index of `lo`, the first device of every namespace.
pub const LO: u32 = 1;
/// The routing table of local addresses (linux/rtnetlink.h, `RT_TABLE_LOCAL`).
const LOCAL: u32 = 255;
const MTU: u32 = 1500;

/// Makes the veth from the gateway's namespace, down at both ends.
///
/// # Errors
/// If the kernel refuses.
pub async fn create(gateway: &Handle, client: &OwnedFd) -> Result<(), Error> {
    let peer = end::<LinkUnspec>(LinkMessageBuilder::<LinkUnspec>::new(), CHILD_LINK, CHILD_IFINDEX, CHILD_MAC)
        .setns_by_fd(client.as_raw_fd())
        .build();
    let veth = end(LinkVeth::new(GATEWAY_LINK, CHILD_LINK), GATEWAY_LINK, GATEWAY_IFINDEX, GATEWAY_MAC)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .build();
    gateway.link().add(veth).execute().await.map_err(Error::netlink("create the veth"))
}

/// No ARP and no neighbour discovery at either end: neighbours are permanent.
fn end<T>(builder: LinkMessageBuilder<T>, name: &str, index: u32, mac: [u8; 6]) -> LinkMessageBuilder<T> {
    builder.name(name).index(index).address(mac.to_vec()).mtu(MTU).arp(false)
}

/// Gives the gateway's end its addresses, neighbours, and the routes that make every other address local (AnyIP):
/// the child's own addresses are the only ones that are not. The link stays down until [`up_gateway`].
///
/// # Errors
/// If the kernel refuses.
pub async fn set_up_gateway(gateway: &Handle) -> Result<(), Error> {
    up(gateway, LO).await?;
    let link = GATEWAY_IFINDEX;
    add_address(gateway, link, GATEWAY4.into(), 32).await?;
    add_address(gateway, link, GATEWAY6.into(), 128).await?;
    Ok(())
}

/// Brings the gateway's end up, the last step of all, and adds the routes and neighbours that need it up.
///
/// # Errors
/// If the kernel refuses.
pub async fn up_gateway(gateway: &Handle) -> Result<(), Error> {
    let link = GATEWAY_IFINDEX;
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
    for route in [local(v4(Ipv4Addr::UNSPECIFIED, 0), LO), local(v6(Ipv6Addr::UNSPECIFIED, 0), LO)] {
        add_route(gateway, route).await?;
    }
    up(gateway, link).await?;
    for route in [
        unicast(v4(CHILD4, 32), link, LOCAL),
        unicast(v6(CHILD6, 128), link, LOCAL),
        unicast(v6(link_local, 64), link, LOCAL),
    ] {
        add_route(gateway, route).await?;
    }
    add_neighbour(gateway, link, CHILD4.into(), CHILD_MAC).await?;
    add_neighbour(gateway, link, CHILD6.into(), CHILD_MAC).await
}

/// Gives the child's end its addresses, its only neighbour and a default route to it, and brings it up.
///
/// # Errors
/// If the kernel refuses.
pub async fn set_up_client(client: &Handle) -> Result<(), Error> {
    up(client, LO).await?;
    let link = CHILD_IFINDEX;
    add_address(client, link, CHILD4.into(), 32).await?;
    add_address(client, link, CHILD6.into(), 128).await?;
    up(client, link).await?;
    for (gateway, route) in [
        (IpAddr::V4(GATEWAY4), unicast(v4(GATEWAY4, 32), link, MAIN)),
        (IpAddr::V6(GATEWAY6), unicast(v6(GATEWAY6, 128), link, MAIN)),
    ] {
        add_route(client, route).await?;
        add_neighbour(client, link, gateway, GATEWAY_MAC).await?;
    }
    let default4 = RouteMessageBuilder::<Ipv4Addr>::new().gateway(GATEWAY4).output_interface(link);
    add_route(client, default4.build()).await?;
    let default6 = RouteMessageBuilder::<Ipv6Addr>::new().gateway(GATEWAY6).output_interface(link);
    add_route(client, default6.build()).await
}

/// The routing table that lookups end with (linux/rtnetlink.h, `RT_TABLE_MAIN`).
const MAIN: u32 = 254;

fn v4(prefix: Ipv4Addr, length: u8) -> RouteMessage {
    RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(prefix, length).build()
}

fn v6(prefix: Ipv6Addr, length: u8) -> RouteMessage {
    RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(prefix, length).build()
}

fn local(route: RouteMessage, link: u32) -> RouteMessage {
    with(route, RouteType::Local, RouteScope::Host, link, LOCAL)
}

fn unicast(route: RouteMessage, link: u32, table: u32) -> RouteMessage {
    with(route, RouteType::Unicast, RouteScope::Link, link, table)
}

fn with(mut route: RouteMessage, kind: RouteType, scope: RouteScope, link: u32, table: u32) -> RouteMessage {
    use rtnetlink::packet_route::route::RouteAttribute;
    route.header.kind = kind;
    route.header.scope = scope;
    route.header.table = u8::try_from(table).unwrap_or(0);
    route.attributes.push(RouteAttribute::Oif(link));
    route
}

async fn add_route(handle: &Handle, route: RouteMessage) -> Result<(), Error> {
    handle.route().add(route).execute().await.map_err(Error::netlink("add a route"))
}

/// Gives a device an address.
///
/// # Errors
/// If the kernel refuses.
pub async fn add_address(handle: &Handle, link: u32, address: IpAddr, prefix: u8) -> Result<(), Error> {
    use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags};
    let mut request = handle.address().add(link, address, prefix);
    if address.is_ipv6() {
        // No duplicate address detection: there is nobody else, and the address must be usable at once.
        request.message_mut().attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
    }
    request.execute().await.map_err(Error::netlink("add an address"))
}

async fn add_neighbour(handle: &Handle, link: u32, address: IpAddr, mac: [u8; 6]) -> Result<(), Error> {
    let request = handle.neighbours().add(link, address).link_layer_address(&mac).state(NeighbourState::Permanent);
    request.replace().execute().await.map_err(Error::netlink("add a neighbour"))
}

async fn up(handle: &Handle, link: u32) -> Result<(), Error> {
    let mut message = LinkMessage::default();
    message.header.index = link;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    handle.link().set(message).execute().await.map_err(Error::netlink("bring a link up"))
}
