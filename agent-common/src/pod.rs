//! Tells aya that the map types are plain data. The only unsafe code of this crate.

use aya::Pod;

use crate::maps::{Blocked, BlockedKey, Config, Count, Event, Flow, FlowKey, Name};
use crate::owner::{Layout, Owner, Sender, SenderKey};

macro_rules! pod {
    ($($type:ty),*) => { $(
        // SAFETY: the type is `Copy`, `repr(C)`, made of integers and arrays of them only, and has no padding: the
        // assertions in `maps` compare its size with the sum of its fields.
        #[expect(unsafe_code, reason = "aya::Pod is how aya learns that a type may be copied bytewise")]
        unsafe impl Pod for $type {}
    )* };
}

pod!(Blocked, BlockedKey, Config, Count, Event, Flow, FlowKey, Layout, Name, Owner, Sender, SenderKey);
