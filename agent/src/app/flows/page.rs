//! A page of text that grows: titles, lines, indented blocks. All that goes in is made harmless to terminals here.

use crate::engine::http::Field;
use crate::ui::colour::{Ink, Paint};
use crate::ui::escape;

/// How far a block is indented.
const INDENT: &str = "    ";

/// A page.
pub(in crate::app) struct Page {
    text: String,
    paint: Paint,
}

impl Page {
    /// An empty page.
    pub(in crate::app) const fn new(paint: Paint) -> Self {
        Self { text: String::new(), paint }
    }

    /// All that was written.
    pub(in crate::app) fn into_text(self) -> String {
        self.text
    }

    /// An empty line, if there is something above it.
    pub(in crate::app) fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// A title and what is said beside it.
    pub(in crate::app) fn title(&mut self, title: &str, beside: &str) {
        let (title, beside) = (escape::one_line(title), escape::one_line(beside));
        self.text.push_str(&self.paint.paint(Ink::Title, &title));
        self.text.push_str(if beside.is_empty() { "" } else { "  " });
        self.text.push_str(&beside);
        self.text.push('\n');
    }

    /// A line in another colour.
    pub(in crate::app) fn line(&mut self, ink: Ink, text: &str) {
        self.text.push_str(INDENT);
        self.text.push_str(&self.paint.paint(ink, &escape::one_line(text)));
        self.text.push('\n');
    }

    /// A line that is painted already.
    pub(in crate::app) fn painted(&mut self, text: &str) {
        self.text.push_str(INDENT);
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Fields, one a line.
    pub(in crate::app) fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            let (name, value) = (String::from_utf8_lossy(&field.name), String::from_utf8_lossy(&field.value));
            let name = self.paint.paint(Ink::Name, &escape::one_line(&name));
            self.painted(&format!("{name}: {}", escape::one_line(&value)));
        }
    }

    /// Text of many lines, indented.
    pub(in crate::app) fn block(&mut self, text: &str) {
        for line in escape::plain(text).lines() {
            if !line.is_empty() {
                self.text.push_str(INDENT);
                self.text.push_str(line);
            }
            self.text.push('\n');
        }
    }
}
