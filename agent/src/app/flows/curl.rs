//! A command line of curl that repeats a request.

use std::path::Path;

use anyhow::Context as _;

use crate::app::captures::{self, Choice};
use crate::engine::record::curl::command;
use crate::ui;

/// Prints a command that repeats the request of the exchange with this number. A body that no command line can carry is
/// written to the file `body`.
///
/// # Errors
/// If there is no such exchange, or curl cannot repeat it.
pub fn curl(choice: &Choice, id: i64, body: Option<&Path>) -> anyhow::Result<()> {
    let capture = captures::open(choice)?;
    let exchange = capture.exchange(id)?;
    let file = body.map(|path| path.to_string_lossy().into_owned());
    let line = command(&exchange, file.as_deref()).with_context(|| format!("exchange {id}"))?;
    if let Some(path) = body {
        let bytes = exchange.request.body.as_ref().map(|body| body.bytes.as_slice()).unwrap_or_default();
        super::super::export::write(path, bytes)?;
    }
    if capture.about("redacted")?.as_deref() == Some("1") {
        ui::warn("credentials were masked when this was recorded; the command sends `*` in their place");
    }
    ui::line(&ui::escape::plain(&line));
    Ok(())
}
