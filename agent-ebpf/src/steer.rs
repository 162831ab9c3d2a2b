//! Chooses the listener for a connection that `client_in` recorded. Runs once per connection, and per DNS datagram.

use agent_common::maps::{Address, FlowKey, IPV4, IPV6, Listener, TCP, UDP, Verdict, mapped};
use aya_ebpf::bindings::sk_action::{SK_DROP, SK_PASS};
use aya_ebpf::programs::SkLookupContext;

use crate::maps::{assign, config, verdict};

const AF_INET: u32 = 2;

/// Assigns the listener. What has no verdict is dropped, and the gateway's stack answers that nobody listens.
#[inline(always)]
pub(crate) fn steer(ctx: &SkLookupContext) -> u32 {
    let lookup = Lookup::new(ctx);
    let listener = match u8::try_from(lookup.protocol) {
        Ok(TCP) => lookup.tcp(),
        Ok(UDP) if lookup.key.dst_port == 53 => Some(Listener::DnsUdp4),
        _ => None,
    };
    match listener {
        // The listeners for IPv6 follow those for IPv4.
        Some(listener) if assign(ctx, listener as u32 + u32::from(lookup.key.family == IPV6)) => SK_PASS,
        _ => SK_DROP,
    }
}

struct Lookup {
    key: FlowKey,
    protocol: u32,
}

impl Lookup {
    #[inline(always)]
    fn new(ctx: &SkLookupContext) -> Self {
        // SAFETY: the kernel passes a valid `bpf_sk_lookup` for the length of the program's run. Fields are read one
        // by one because the verifier allows no other access to the context.
        #[expect(unsafe_code, reason = "aya has no accessors for `bpf_sk_lookup`")]
        let (family, protocol, child_port, dst_port, child, dst) = unsafe {
            let lookup = ctx.lookup;
            let v4 = (*lookup).family == AF_INET;
            let (child, dst) = if v4 {
                (mapped((*lookup).remote_ip4.to_ne_bytes()), mapped((*lookup).local_ip4.to_ne_bytes()))
            } else {
                (
                    address([
                        (*lookup).remote_ip6[0],
                        (*lookup).remote_ip6[1],
                        (*lookup).remote_ip6[2],
                        (*lookup).remote_ip6[3],
                    ]),
                    address([
                        (*lookup).local_ip6[0],
                        (*lookup).local_ip6[1],
                        (*lookup).local_ip6[2],
                        (*lookup).local_ip6[3],
                    ]),
                )
            };
            let family = if v4 { IPV4 } else { IPV6 };
            // The remote port is in network byte order, the local one is not (linux/bpf.h, `struct bpf_sk_lookup`).
            let child_port = u16::from_be((*lookup).remote_port);
            (family, (*lookup).protocol, child_port, (*lookup).local_port as u16, child, dst)
        };
        let key = FlowKey {
            child,
            dst,
            child_port,
            dst_port,
            ifindex: config().ifindex,
            protocol: protocol as u8,
            family,
            pad: [0; 2],
        };
        Self { key, protocol }
    }

    #[inline(always)]
    fn tcp(&self) -> Option<Listener> {
        match Verdict::from_u8(verdict(&self.key)?)? {
            Verdict::Intercept | Verdict::Relay => Some(Listener::Proxy4),
            Verdict::Dns => Some(Listener::DnsTcp4),
        }
    }
}

#[inline(always)]
fn address(words: [u32; 4]) -> Address {
    let [a, b, c, d] = words.map(u32::to_ne_bytes);
    [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], d[0], d[1], d[2], d[3]]
}
