//! HTTP as the engine sees it, whatever the version: the head that is judged, the exchange that is followed, and the
//! carrier that passes bytes on as they came.

pub mod exchange;
mod field;
mod head;
pub mod reply;
pub mod tape;
pub mod verbatim;

pub use field::{CARRIED, Field, elements, values};
pub use head::{Origin, RequestHead, version_name};
pub use reply::Reply;
