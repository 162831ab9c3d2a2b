//! An answer of the agent's own, in place of the server's.

use bytes::Bytes;
use http::StatusCode;

use super::Field;

/// A response that says why there is no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// An answer of one line, which says that it is the agent's.
    #[must_use]
    pub fn text(status: StatusCode, why: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: format!("agent: {why}\n").into() }
    }

    /// What its head says, besides the status.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        let length = self.body.len().to_string();
        vec![Field::new("content-type", self.content_type), Field::new("content-length", length)]
    }

    /// The answer to a request whose server could not be reached, `late` if it did not answer in time: 504 or 502.
    #[must_use]
    pub fn unreachable(why: &str, late: bool) -> Self {
        Self::text(if late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY }, why)
    }

    /// The answer to a request that the policy refuses: 403 with a JSON object.
    #[must_use]
    pub fn blocked(domain: &str, reason: &str, suggestion: &str) -> Self {
        let body = serde_json::json!({
            "error": "blocked", "domain": domain, "reason": reason, "suggestion": suggestion,
        });
        Self { status: StatusCode::FORBIDDEN, content_type: "application/json", body: format!("{body}\n").into() }
    }
}
