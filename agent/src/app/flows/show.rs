//! One exchange with all that was kept of it.

use anyhow::{Context as _, bail};

use super::Page;
use super::schema::Schemas;
use super::view::View;
use crate::app::captures::{self, Choice};
use crate::app::sessions;
use crate::engine::decode::protobuf::schema::Schema;
use crate::engine::http::exchange::Direction;
use crate::engine::record::{Connection, Exchange, jsonl, phases, time};
use crate::ui::bars::{Span, bars};
use crate::ui::colour::{Ink, Paint};
use crate::ui::{self, bars::millis};

/// How an exchange is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a page, where chats are put together.
    Page,
    /// As a page with every message.
    Messages,
    /// As one JSON document.
    Json,
    /// The bytes of a direction's body, decoded, and nothing else.
    Raw(Direction),
}

/// Shows the exchange with this number.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn show(choice: &Choice, id: i64, form: Form, schemas: &Schemas) -> anyhow::Result<()> {
    let capture = captures::open(choice)?;
    let exchange = capture.exchange(id)?;
    match form {
        Form::Json => sessions::print_json(&jsonl::object(&exchange)),
        Form::Raw(direction) => raw(&exchange, direction),
        Form::Page | Form::Messages => {
            let schema = schemas.load(&capture)?;
            ui::text_out(&page(&exchange, &schema, form == Form::Messages, super::paint()));
            Ok(())
        }
    }
}

fn raw(exchange: &Exchange, direction: Direction) -> anyhow::Result<()> {
    let half = match direction {
        Direction::Request => Some(&exchange.request),
        Direction::Response => exchange.response.as_ref(),
    };
    let half = half.with_context(|| format!("exchange {} has no response", exchange.outline.id))?;
    if half.body.is_some() {
        ui::bytes_out(&half.decoded().bytes);
        return Ok(());
    }
    // Of a tunnel only the messages are kept.
    let messages = exchange.messages.iter().filter(|message| message.direction == direction);
    let bytes: Vec<u8> = messages.flat_map(|message| &message.payload).copied().collect();
    if bytes.is_empty() && half.size > 0 {
        bail!("nothing was kept of the {}'s body", direction.name());
    }
    ui::bytes_out(&bytes);
    Ok(())
}

/// All of an exchange as text of many lines.
pub(super) fn page(exchange: &Exchange, schema: &Schema, each: bool, paint: Paint) -> String {
    let mut page = Page::new(paint);
    let outline = &exchange.outline;
    page.title(&format!("exchange {}", outline.id), &time::rfc3339(outline.started));
    if let Some(connection) = &exchange.connection {
        about(connection, &mut page);
    }
    if outline.verdict == "block" {
        let rule = outline.rule.as_ref().map(|rule| format!(" by rule {rule}")).unwrap_or_default();
        page.line(Ink::Bad, &format!("refused{rule}"));
    }
    if let Some(error) = &outline.error {
        page.line(Ink::Bad, &format!("failed: {error}"));
    }
    page.gap();
    let took = outline.took_us().and_then(|us| i64::try_from(us).ok());
    page.title("timing", &took.map_or_else(|| "not over".into(), millis));
    let spans: Vec<Span> =
        phases(exchange).iter().map(|phase| Span { name: phase.name, began: phase.began, took: phase.took }).collect();
    bars(&spans).iter().for_each(|bar| page.painted(bar));
    let view = View { exchange, schema, each, times: true };
    page.gap();
    page.title("request", &format!("{} {} {}", outline.method, outline.url(), outline.version));
    view.half(Direction::Request, &mut page);
    for (status, head) in &exchange.informational {
        page.gap();
        page.title("informational", &status.to_string());
        page.fields(head);
    }
    page.gap();
    page.title("response", &outline.status.map_or_else(|| "none".into(), status));
    view.half(Direction::Response, &mut page);
    page.into_text()
}

/// A status and what it is called.
fn status(status: u16) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    format!("{status} {}", reason.unwrap_or_default())
}

fn about(connection: &Connection, page: &mut Page) {
    let mut text = format!("connection {} from {} to {}", connection.id, connection.child, connection.destination);
    if let (Some(pid), process) = (connection.pid, connection.process.as_deref().unwrap_or_default()) {
        let executable = connection.executable.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
        text.push_str(&format!(", {process}[{pid}]{executable}"));
    }
    page.line(Ink::Faint, &text);
    if let Some(tls) = &connection.server_tls {
        let alpn = connection.alpn.as_ref().map(|alpn| format!(", {alpn}")).unwrap_or_default();
        let standing = match connection.verified {
            Some(false) => ", certificate not good",
            _ => "",
        };
        page.line(Ink::Faint, &format!("{}{alpn}{standing}", tls.suite));
    }
}
