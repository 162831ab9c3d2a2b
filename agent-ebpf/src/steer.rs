//! Chooses the listener for a connection that `client_in` recorded. Runs once per connection, and per DNS datagram.

use agent_common::maps::{FlowKey, IPV4, IPV6, Listener, TCP, UDP, Verdict, mapped_word};
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
        let lookup = ctx.lookup;
        // SAFETY: the kernel passes a valid `bpf_sk_lookup` for the length of the program's run. Both families' fields
        // are read, and with volatile reads, because the verifier allows access at fixed offsets only: in branches, the
        // compiler would join two accesses into one at a computed offset.
        #[expect(unsafe_code, reason = "aya has no accessors for `bpf_sk_lookup`")]
        let (v4, protocol, child_port, dst_port, child4, dst4, child6, dst6) = unsafe {
            (
                (&raw const (*lookup).family).read_volatile() == AF_INET,
                (&raw const (*lookup).protocol).read_volatile(),
                // The remote port is in network byte order, the local one is not (linux/bpf.h).
                u16::from_be((&raw const (*lookup).remote_port).read_volatile()),
                (&raw const (*lookup).local_port).read_volatile() as u16,
                (&raw const (*lookup).remote_ip4).read_volatile(),
                (&raw const (*lookup).local_ip4).read_volatile(),
                [0, 1, 2, 3].map(|word| (&raw const (*lookup).remote_ip6[word]).read_volatile()),
                [0, 1, 2, 3].map(|word| (&raw const (*lookup).local_ip6[word]).read_volatile()),
            )
        };
        let (child, dst) = if v4 { (mapped_word(child4), mapped_word(dst4)) } else { (child6, dst6) };
        let family = if v4 { IPV4 } else { IPV6 };
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
