//! The maps, and safe access to their entries.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use agent_common::decide::Policy;
use agent_common::maps::{
    Address, Blocked, BlockedKey, Config, Count, Counter, EVENTS_BYTES, Event, EventKind, FIN_FROM_CHILD, FIN_TO_CHILD,
    Flow, FlowKey, IPV4, Listener, MAX_BLOCKED, MAX_CIDRS, MAX_FLOWS, Name, PortAction, State, TCP, Totals,
};
use agent_common::owner::{Layout, MAX_SENDERS, Owner, Sender, SenderKey};
use agent_common::packet::{Direction, Headers};
use aya_ebpf::Global;
use aya_ebpf::bindings::{BPF_F_NO_PREALLOC, BPF_NOEXIST};
use aya_ebpf::helpers::generated::bpf_ktime_get_coarse_ns;
use aya_ebpf::macros::map;
use aya_ebpf::maps::lpm_trie::Key;
use aya_ebpf::maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf, SockMap};
use aya_ebpf::programs::SkLookupContext;

use crate::packet::Size;

#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds the global by its symbol")]
static CONFIG: Global<Config> = Global::new(Config::UNSET);
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "the loader finds the global by its symbol")]
static LAYOUT: Global<Layout> = Global::new(Layout::UNKNOWN);

// Not LRU: a live flow is never evicted, a full table refuses the next one. Not preallocated: most sessions have few.
#[map]
static FLOWS: HashMap<FlowKey, Flow> = HashMap::with_max_entries(MAX_FLOWS, BPF_F_NO_PREALLOC);
// Written by user space only; declared here so that it is created and pinned with the others.
#[map]
static NAMES: HashMap<FlowKey, Name> = HashMap::with_max_entries(MAX_FLOWS, BPF_F_NO_PREALLOC);
#[map]
static OWNERS: HashMap<FlowKey, Owner> = HashMap::with_max_entries(MAX_FLOWS, BPF_F_NO_PREALLOC);
#[map]
static SENDERS: LruHashMap<SenderKey, Sender> = LruHashMap::with_max_entries(MAX_SENDERS, 0);
#[map]
static BLOCKED: LruHashMap<BlockedKey, Blocked> = LruHashMap::with_max_entries(MAX_BLOCKED, 0);
#[map]
static COUNTERS: PerCpuArray<Count> = PerCpuArray::with_max_entries(Counter::COUNT, 0);
#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_BYTES, 0);
#[map]
static LISTENERS: SockMap = SockMap::with_max_entries(Listener::COUNT, 0);
#[map]
static PORT_POLICY: Array<u8> = Array::with_max_entries(1 << 16, 0);
#[map]
static CIDR4: LpmTrie<u32, u8> = LpmTrie::with_max_entries(MAX_CIDRS, 0);
#[map]
static CIDR6: LpmTrie<Address, u8> = LpmTrie::with_max_entries(MAX_CIDRS, 0);

/// What the programs know about their session. Behind a reference, because a copy would be most of the stack.
#[inline(always)]
pub(crate) fn config() -> &'static Config {
    // The value in the object is a placeholder that the loader overwrites: it must not be folded into the code.
    let config = core::hint::black_box(&raw const CONFIG).cast::<Config>();
    // SAFETY: `Global<T>` is a transparent wrapper of an initialised `T`, and read-only after loading.
    #[expect(unsafe_code, reason = "`Global` only offers a copy")]
    unsafe {
        &*config
    }
}

/// Where the running kernel keeps what leads to an executable's path. The verifier knows the values: what they rule out
/// it does not judge, and the kernel does not run.
#[inline(always)]
pub(crate) fn layout() -> &'static Layout {
    let layout = core::hint::black_box(&raw const LAYOUT).cast::<Layout>();
    // SAFETY: as in `config`.
    #[expect(unsafe_code, reason = "`Global` only offers a copy")]
    unsafe {
        &*layout
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC_COARSE`.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the helper takes no argument and is allowed in tc programs (kernel 5.11).
    #[expect(unsafe_code, reason = "BPF helpers are foreign functions")]
    unsafe {
        bpf_ktime_get_coarse_ns()
    }
}

/// Adds a frame to a counter of this CPU.
#[inline(always)]
pub(crate) fn count(counter: Counter, size: Size) {
    if let Some(entry) = COUNTERS.get_ptr_mut(counter.index()) {
        // SAFETY: the entry is this CPU's own, and a tc program is not interrupted by another on the same CPU.
        #[expect(unsafe_code, reason = "map values are reached through pointers")]
        let entry = unsafe { &mut *entry };
        entry.packets += size.packets;
        entry.bytes += size.bytes;
    }
}

/// The policy as the maps hold it.
pub(crate) struct PolicyMaps;

impl Policy for PolicyMaps {
    #[inline(always)]
    fn port(&self, port: u16) -> PortAction {
        PORT_POLICY.get(u32::from(port)).map_or(PortAction::Refuse, |action| PortAction::from_u8(*action))
    }

    #[inline(always)]
    fn refuses_network(&self, family: u8, dst: &Address) -> bool {
        if family == IPV4 {
            CIDR4.get(Key::new(32, dst[3])).is_some()
        } else {
            CIDR6.get(Key::new(128, *dst)).is_some()
        }
    }
}

/// Records a new flow, or replaces what an earlier one on the same ports left.
///
/// # Errors
/// If there is no room.
#[inline(always)]
pub(crate) fn insert_flow(key: &FlowKey, flow: &Flow) -> Result<(), i32> {
    FLOWS.insert(key, flow, 0)
}

/// Records who opened a connection, or replaces who opened an earlier one on the same ports.
///
/// # Errors
/// If there is no room.
#[inline(always)]
pub(crate) fn insert_owner(key: &FlowKey, owner: &Owner) -> Result<(), i32> {
    OWNERS.insert(key, owner, 0)
}

/// Takes the owner for the flow that is being opened. If an earlier flow had it, then who opens this one was not seen:
/// a process from outside the session's control group, on a port that one from inside has used.
#[inline(always)]
pub(crate) fn claim_owner(key: &FlowKey) {
    let Some(owner) = OWNERS.get_ptr_mut(key) else { return };
    // SAFETY: the pointer came from a successful lookup in this run, so the entry is alive (RCU).
    #[expect(unsafe_code, reason = "map values are reached through pointers")]
    let claimed = unsafe { core::mem::replace(&mut (*owner).claimed, 1) };
    if claimed != 0 {
        remove_owner(key);
    }
}

/// Records who sends datagrams to somewhere.
#[inline(always)]
pub(crate) fn insert_sender(key: &SenderKey, sender: &Sender) {
    // Without room for it, an attempt that is refused names nobody.
    let _lost: bool = SENDERS.insert(key, sender, 0).is_err();
}

/// Writes down who tries what these headers say, as far as it is known.
#[inline(always)]
fn write_sender(key: &FlowKey, to: *mut Sender) {
    // A refused connection has an owner and no flow; a program that tries again and again must not fill the map.
    let sender = if key.protocol == TCP {
        OWNERS.get_ptr(key).map(<*const Owner>::cast::<Sender>)
    } else {
        SENDERS.get_ptr(SenderKey { dst: key.dst, dst_port: key.dst_port, protocol: key.protocol, pad: 0 })
    };
    // SAFETY: both are in map values that a lookup in this run has found; an owner begins with its sender (asserted).
    #[expect(unsafe_code, reason = "map values are reached through pointers")]
    unsafe {
        *to = sender.map_or(Sender::UNKNOWN, |sender| *sender);
    }
    if key.protocol == TCP {
        remove_owner(key);
    }
}

/// Forgets who opened a connection that is refused.
#[inline(always)]
fn remove_owner(key: &FlowKey) {
    // A connection from outside the session's control group has none.
    let _absent: bool = OWNERS.remove(key).is_err();
}

/// The entry of a flow, shared with the programs on other CPUs.
#[inline(always)]
pub(crate) fn flow(key: &FlowKey) -> Option<LiveFlow> {
    FLOWS.get_ptr_mut(key).map(LiveFlow)
}

/// The verdict recorded for a flow.
#[inline(always)]
pub(crate) fn verdict(key: &FlowKey) -> Option<u8> {
    // SAFETY: the verdict is one byte that is written before the entry can be found and never after.
    #[expect(unsafe_code, reason = "map values are reached through pointers")]
    FLOWS.get_ptr(key).map(|flow| unsafe { (*flow).verdict })
}

/// A flow's entry. Counters are added atomically; the other fields are single stores whose races are harmless: both
/// directions of one connection only ever move its state forward.
#[derive(Clone, Copy)]
pub(crate) struct LiveFlow(*mut Flow);

// SAFETY, for every block below: the pointer came from a successful lookup in this run of the program, so the entry is
// alive (RCU); its fields are aligned by `repr(C)`.
#[expect(unsafe_code, reason = "map values are reached through pointers")]
impl LiveFlow {
    #[inline(always)]
    pub(crate) fn syn_seq(self) -> u32 {
        // SAFETY: see above.
        unsafe { (*self.0).syn_seq }
    }

    /// Whether the connection is established.
    #[inline(always)]
    pub(crate) fn in_use(self) -> bool {
        // SAFETY: see above.
        let state = unsafe { (*self.0).state };
        state == State::Open as u8 || state == State::HalfClosed as u8
    }

    /// Whether the connection has ended.
    #[inline(always)]
    pub(crate) fn is_over(self) -> bool {
        // SAFETY: see above.
        unsafe { (*self.0).state >= State::Closed as u8 }
    }

    #[inline(always)]
    pub(crate) fn set_state(self, state: State) {
        // SAFETY: see above.
        unsafe { (*self.0).state = state as u8 };
    }

    /// Notes a FIN; true if both sides have now sent one.
    #[inline(always)]
    pub(crate) fn add_fin(self, fin: u32) -> bool {
        // SAFETY: see above.
        unsafe {
            (*self.0).fins |= fin;
            (*self.0).fins == FIN_FROM_CHILD | FIN_TO_CHILD
        }
    }

    /// Counts a packet.
    #[inline(always)]
    pub(crate) fn add(self, direction: Direction, size: Size) {
        // SAFETY: see above.
        unsafe {
            let (packets, bytes) = match direction {
                Direction::Out => (&raw mut (*self.0).packets_out, &raw mut (*self.0).bytes_out),
                Direction::In => (&raw mut (*self.0).packets_in, &raw mut (*self.0).bytes_in),
            };
            add(packets, size.packets);
            add(bytes, size.bytes);
            (*self.0).last_ns = now();
        }
    }

    /// What has passed so far.
    #[inline(always)]
    pub(crate) fn totals(self) -> Totals {
        // SAFETY: see above.
        unsafe {
            Totals {
                ns: (*self.0).last_ns,
                bytes_out: (*self.0).bytes_out,
                bytes_in: (*self.0).bytes_in,
                packets_out: (*self.0).packets_out,
                packets_in: (*self.0).packets_in,
            }
        }
    }
}

/// Adds to a counter that other CPUs add to as well.
///
/// # Safety
/// `counter` is a live, aligned field of a map value.
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through pointers")]
unsafe fn add(counter: *mut u64, amount: u64) {
    // `core` has no `AtomicU64::fetch_add` for this target. The unused result makes it the plain BPF atomic add, which
    // every supported kernel has. SAFETY: the caller's.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, amount) };
}

/// Counts a refused attempt, and reports it if none like it has been reported within the interval; true if it has.
#[inline(always)]
pub(crate) fn blocked(key: &BlockedKey, headers: &Headers, size: Size, report_interval_ns: u64) -> bool {
    if BLOCKED.get_ptr(key).is_none() {
        // If another CPU was first, nothing is lost: what counts comes below.
        let _other: bool = BLOCKED.insert(key, Blocked::NONE, u64::from(BPF_NOEXIST)).is_err();
    }
    // `COUNTERS` has it all the same.
    let Some(entry) = BLOCKED.get_ptr_mut(key) else { return false };
    let now = now();
    // SAFETY: the pointer came from a successful lookup in this run, so the entry is alive (RCU).
    #[expect(unsafe_code, reason = "map values are reached through pointers")]
    unsafe {
        write_sender(&headers.key, &raw mut (*entry).sender);
        add(&raw mut (*entry).packets, size.packets);
        add(&raw mut (*entry).bytes, size.bytes);
        (*entry).last_ns = now;
        if (*entry).first_ns == 0 {
            (*entry).first_ns = now;
        } else if now.wrapping_sub((*entry).reported_ns) < report_interval_ns {
            return false;
        }
        (*entry).reported_ns = now;
        let packets = (*entry).packets;
        let folded = packets.saturating_sub((*entry).reported).saturating_sub(size.packets);
        let totals = Totals { ns: now, bytes_out: (*entry).bytes, bytes_in: 0, packets_out: packets, packets_in: 0 };
        let refused = Refused { folded, sender: &raw const (*entry).sender };
        // What the full buffer lost, the next event tells of, or whoever reads the map in the end.
        if send(&headers.key, headers.ether_type, EventKind::Blocked, key.reason, &totals, Some(refused)) {
            (*entry).reported = packets;
        }
    }
    true
}

/// What an event about a refused attempt says besides.
struct Refused {
    folded: u64,
    sender: *const Sender,
}

/// Sends an event; one that the full buffer loses is counted.
#[inline(always)]
pub(crate) fn emit(key: &FlowKey, ether_type: u16, kind: EventKind, detail: u8, totals: &Totals) {
    let _counted: bool = send(key, ether_type, kind, detail, totals, None);
}

/// True if there was room for it.
#[inline(always)]
fn send(
    key: &FlowKey,
    ether_type: u16,
    kind: EventKind,
    detail: u8,
    totals: &Totals,
    refused: Option<Refused>,
) -> bool {
    let Some(mut entry) = EVENTS.reserve::<Event>(0) else {
        count(Counter::EventsLost, Size { packets: 1, bytes: 0 });
        return false;
    };
    let event = entry.as_mut_ptr();
    // Written field by field: a whole event on the program's 512 bytes of stack would be too much.
    // SAFETY: the buffer reserved room for one event, aligned to eight bytes; it is read only after `submit`. A sender
    // is in a map value that a lookup in this run has found.
    #[expect(unsafe_code, reason = "the ring buffer hands out uninitialised memory")]
    unsafe {
        (*event).totals = *totals;
        (*event).folded = refused.as_ref().map_or(0, |refused| refused.folded);
        (*event).sender = refused.map_or(Sender::UNKNOWN, |refused| *refused.sender);
        (*event).key = *key;
        (*event).ether_type = ether_type;
        (*event).kind = kind as u8;
        (*event).detail = detail;
    }
    entry.submit(0);
    true
}

/// Gives the connection or datagram being looked up to a listener; false if there is none.
#[inline(always)]
pub(crate) fn assign(ctx: &SkLookupContext, listener: u32) -> bool {
    LISTENERS.redirect_sk_lookup(ctx, listener, 0).is_ok()
}
