//! Two exchanges compared by lines: heads, and bodies as they are shown.

use similar::TextDiff;

use super::schema::Schemas;
use super::view::lines;
use crate::app::captures::{self, Choice};
use crate::engine::decode::protobuf::schema::Schema;
use crate::engine::http::exchange::Direction;
use crate::engine::record::Exchange;
use crate::ui;
use crate::ui::colour::{Ink, Paint};

/// Lines around a difference.
const CONTEXT: usize = 3;

/// Shows where two exchanges of a capture differ.
///
/// # Errors
/// If one is not there, or cannot be read.
pub fn diff(choice: &Choice, ids: [i64; 2], schemas: &Schemas) -> anyhow::Result<()> {
    let capture = captures::open(choice)?;
    let schema = schemas.load(&capture)?;
    let [before, after] = [capture.exchange(ids[0])?, capture.exchange(ids[1])?];
    let names = ids.map(|id| format!("exchange {id}"));
    let texts =
        [&before, &after].map(|exchange| format!("{}\n{}", request(exchange, &schema), response(exchange, &schema)));
    match compare(&names, &texts, super::paint()) {
        Some(text) => ui::text_out(&text),
        None => ui::line("the same"),
    }
    Ok(())
}

/// The request as text of many lines.
fn request(exchange: &Exchange, schema: &Schema) -> String {
    let outline = &exchange.outline;
    let first = format!("request {} {} {}", outline.method, outline.url(), outline.version);
    format!("{}\n{}", ui::escape::one_line(&first), lines(exchange, Direction::Request, schema))
}

/// The response as text of many lines.
pub(in crate::app) fn response(exchange: &Exchange, schema: &Schema) -> String {
    let status = exchange.outline.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
    format!("response {status}\n{}", lines(exchange, Direction::Response, schema))
}

/// The differences between two texts as a unified diff; `None` if they are the same.
pub(in crate::app) fn compare(names: &[String; 2], texts: &[String; 2], paint: Paint) -> Option<String> {
    if texts[0] == texts[1] {
        return None;
    }
    Some(unified(names, texts, CONTEXT, paint))
}

/// A unified diff of two texts, with so many lines around each difference.
pub(in crate::app) fn unified(names: &[String; 2], texts: &[String; 2], context: usize, paint: Paint) -> String {
    let diff = TextDiff::from_lines(&texts[0], &texts[1]);
    let unified = diff.unified_diff().context_radius(context).header(&names[0], &names[1]).to_string();
    let painted = |line: &str| {
        let ink = match line.as_bytes().first() {
            Some(b'+') => Ink::Good,
            Some(b'-') => Ink::Bad,
            Some(b'@') => Ink::Faint,
            _ => return format!("{line}\n"),
        };
        format!("{}\n", paint.paint(ink, line))
    };
    unified.lines().map(painted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        let names = ["a", "b"].map(str::to_owned);
        let text = |number: u32| format!("same\n{{\n  \"x\": {number}\n}}\n");
        let shown = compare(&names, &[text(1), text(2)], Paint::off()).unwrap();
        assert_eq!(shown, "--- a\n+++ b\n@@ -1,4 +1,4 @@\n same\n {\n-  \"x\": 1\n+  \"x\": 2\n }\n");
        assert_eq!(compare(&names, &[text(1), text(1)], Paint::off()), None);
    }
}
