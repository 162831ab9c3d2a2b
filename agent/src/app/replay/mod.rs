//! `agent replay`: sends a recorded request again, as a command of a running session, so that the session's policy and
//! proxy treat it as any other, and compares the answers.

mod http1;
mod order;
mod send;

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde_json::json;

use self::order::{Answer, Order};
use super::captures::{self, Choice};
use super::flows::{Page, Schemas, compare, response};
use super::{exec, sessions};
use crate::engine::record::{Exchange, jsonl};
use crate::ui::{self, bars, table};
use crate::{cli, config};

/// Sends the request of exchange `id` of a capture again in the session `name`, and shows both answers.
///
/// # Errors
/// If there is no such session or exchange, the request cannot be sent again, or nobody answers.
pub fn replay(name: &str, choice: &Choice, id: i64, json: bool) -> anyhow::Result<()> {
    config::require_root("replay")?;
    let facts = exec::running(&sessions::parse(name)?)?;
    let capture = captures::open(choice)?;
    let exchange = capture.exchange(id)?;
    let authority = std::fs::read_to_string(&facts.ca).context("cannot read the session's authority")?;
    let order = Order::of(&exchange, authority).with_context(|| format!("exchange {id} cannot be sent again"))?;
    if capture.about("redacted")?.as_deref() == Some("1") {
        ui::warn("credentials were masked when this was recorded; `*` is sent in their place");
    }
    let answer = carry_out(name, &order)?;
    let again = answer.exchange(&exchange)?;
    if json {
        let [before, now] = [&exchange, &again].map(|exchange| jsonl::object(exchange)["response"].clone());
        let status = |exchange: &Exchange| exchange.outline.status;
        return sessions::print_json(&json!({
            "exchange": id,
            "recorded": { "status": status(&exchange), "response": before },
            "now": { "status": status(&again), "response": now, "took_us": answer.took_us, "complete": !answer.is_cut },
        }));
    }
    let schema = Schemas::default().load(&capture)?;
    let texts = [response(&exchange, &schema), response(&again, &schema)];
    let mut page = Page::new(super::flows::paint());
    page.title(&format!("recorded, exchange {id}"), &summary(&exchange));
    page.block(&texts[0]);
    page.gap();
    page.title("now", &summary(&again));
    page.block(&texts[1]);
    if answer.is_cut {
        page.line(ui::colour::Ink::Warning, "not all of it: it was too large, or took too long");
    }
    page.gap();
    let names = [format!("exchange {id}"), "now".to_owned()];
    let mut text = page.into_text();
    text.push_str(&compare(&names, &texts, super::flows::paint()).unwrap_or_else(|| "the same answer\n".to_owned()));
    ui::text_out(&text);
    Ok(())
}

/// A line about an answer.
fn summary(exchange: &Exchange) -> String {
    let outline = &exchange.outline;
    let took = outline.took_us().and_then(|us| i64::try_from(us).ok()).map_or_else(|| "not over".into(), bars::millis);
    let status = outline.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    format!("{status}, {}, {took}", table::bytes(outline.response_size))
}

/// Starts this program in the session, as `agent exec` starts a command, gives it the order, and takes the answer.
fn carry_out(name: &str, order: &Order) -> anyhow::Result<Answer> {
    let mut command = super::supervisor::this_program("exec");
    command.args([name, "--", "/proc/self/exe", cli::REPLAY]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start a process in the session")?;
    let order = serde_json::to_vec(order)?;
    if let Some(mut input) = child.stdin.take() {
        // One that has died says so itself.
        input.write_all(&order).unwrap_or_default();
    }
    let output = child.wait_with_output().context("cannot hear from the process in the session")?;
    if !output.status.success() {
        bail!("the request was not answered");
    }
    serde_json::from_slice(&output.stdout).context("what the process in the session says is no answer")
}

/// The part of the process in the session: an order on standard input, the answer to it on standard output.
///
/// # Errors
/// If nobody answers.
pub fn inside() -> anyhow::Result<()> {
    let mut order = Vec::new();
    std::io::stdin().read_to_end(&mut order)?;
    let order: Order = serde_json::from_slice(&order).context("this is for `agent replay` alone")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(send::send(&order))?;
    ui::line(&serde_json::to_string(&answer)?);
    Ok(())
}
