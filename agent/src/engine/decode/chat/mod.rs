//! Answers of language models, put together from the pieces in which they stream: text, reasoning, tool calls, usage. It
//! reads what OpenAI's two APIs, Anthropic's, Google's and those who speak like them send, as events or as one document.
//! What it does not know is counted.

mod completions;
mod generate;
mod messages;
mod responses;

use std::fmt;

use serde_json::Value;

use super::stream::sse;

/// Most bytes that are put together; what comes after is left out.
pub const MAX_CHAT: usize = 4 * 1024 * 1024;
/// Most answers, calls of each, and kinds of usage.
const MAX_PARTS: usize = 256;
/// Most bytes of the name of a call or of a kind of usage; a longer one is left out.
const MAX_NAME: usize = 1024;

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chat {
    /// The model, as it names itself.
    pub model: Option<String>,
    /// Its answers, of which there is one unless more were asked for.
    pub choices: Vec<Choice>,
    /// What it cost, by the names that the API has; names within names are joined by a dot.
    pub usage: Vec<(String, u64)>,
    /// What the server said that went wrong.
    pub error: Option<String>,
    /// Events and parts of which nothing is known.
    pub unknown: u64,
    /// More came than [`MAX_CHAT`].
    pub is_cut: bool,
    /// Bytes that were put together.
    bytes: usize,
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Its number.
    pub index: u64,
    /// What is said.
    pub text: String,
    /// What was thought, as far as it is told.
    pub reasoning: String,
    /// Why nothing else is said.
    pub refusal: String,
    /// What the model wants to be called.
    pub calls: Vec<Call>,
    /// Why it stopped.
    pub stop: Option<String>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Its place among the parts of the answer.
    pub index: u64,
    /// What identifies the call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments, which are JSON once they are complete.
    pub arguments: String,
}

/// Puts an answer together.
#[derive(Debug, Default)]
pub struct Assembler {
    chat: Chat,
    /// Something was known.
    is_chat: bool,
}

/// A part of an answer that grows.
#[derive(Clone, Copy)]
enum Part {
    Text,
    Reasoning,
    Refusal,
    /// The arguments of the call with this index.
    Arguments(u64),
}

impl Assembler {
    /// Takes the next event of a stream.
    pub fn event(&mut self, event: &sse::Event) {
        let data = event.data.trim();
        // OpenAI's last event is no JSON.
        if data.is_empty() || data == "[DONE]" {
            return;
        }
        match serde_json::from_str::<Value>(data) {
            Ok(value) => self.value(&value),
            Err(_) => self.chat.unknown += 1,
        }
    }

    /// Takes a document, which is a whole answer or a piece of one.
    fn value(&mut self, value: &Value) {
        let chat = &mut self.chat;
        let is_known = responses::take(chat, value)
            || messages::take(chat, value)
            || completions::take(chat, value)
            || generate::take(chat, value);
        let is_error = !is_known && chat.take_error(value);
        self.is_chat |= is_known;
        self.chat.unknown += u64::from(!is_known && !is_error);
    }

    /// What was put together; `None` if nothing of it was a model's answer.
    #[must_use]
    pub fn finish(self) -> Option<Chat> {
        self.is_chat.then_some(self.chat)
    }
}

/// The answer in `body`, JSON that came as a whole, or an array of its pieces; `None` if it is none.
#[must_use]
pub fn of_json(body: &[u8]) -> Option<Chat> {
    let mut assembler = Assembler::default();
    match serde_json::from_slice(body).ok()? {
        Value::Array(pieces) => pieces.iter().for_each(|piece| assembler.value(piece)),
        value => assembler.value(&value),
    }
    assembler.finish()
}

/// The answer in the events of a stream; `None` if it is none.
#[must_use]
pub fn of_events<'a>(events: impl IntoIterator<Item = &'a sse::Event>) -> Option<Chat> {
    let mut assembler = Assembler::default();
    events.into_iter().for_each(|event| assembler.event(event));
    assembler.finish()
}

impl Chat {
    fn choice(&mut self, index: u64) -> Option<&mut Choice> {
        if let Some(at) = self.choices.iter().position(|choice| choice.index == index) {
            return self.choices.get_mut(at);
        }
        if self.choices.len() == MAX_PARTS {
            self.is_cut = true;
            return None;
        }
        self.choices.push(Choice { index, ..Choice::default() });
        self.choices.last_mut()
    }

    /// The call `index` of the answer `choice`.
    fn call(&mut self, choice: u64, index: u64) -> Option<&mut Call> {
        let calls = &mut self.choice(choice)?.calls;
        if let Some(at) = calls.iter().position(|call| call.index == index) {
            return calls.get_mut(at);
        }
        if calls.len() == MAX_PARTS {
            return None;
        }
        calls.push(Call { index, ..Call::default() });
        calls.last_mut()
    }

    /// Names the call `index` of the answer `choice`, as far as `id` and `name` do.
    fn begin_call(&mut self, choice: u64, index: u64, id: Option<&str>, name: Option<&str>) {
        let Some(call) = self.call(choice, index) else { return };
        for (part, said) in [(&mut call.id, id), (&mut call.name, name)] {
            if let Some(said) = said.filter(|said| !said.is_empty() && said.len() <= MAX_NAME) {
                said.clone_into(part);
            }
        }
    }

    /// Appends what `said` is to `part` of the answer `choice`.
    fn append(&mut self, choice: u64, part: Part, said: Option<&str>) {
        let Some(said) = said.filter(|said| !said.is_empty()) else { return };
        self.bytes = self.bytes.saturating_add(said.len());
        if self.bytes > MAX_CHAT {
            self.is_cut = true;
            return;
        }
        let whole = match part {
            Part::Arguments(index) => self.call(choice, index).map(|call| &mut call.arguments),
            Part::Text => self.choice(choice).map(|choice| &mut choice.text),
            Part::Reasoning => self.choice(choice).map(|choice| &mut choice.reasoning),
            Part::Refusal => self.choice(choice).map(|choice| &mut choice.refusal),
        };
        if let Some(whole) = whole {
            whole.push_str(said);
        }
    }

    fn stop(&mut self, choice: u64, why: Option<&str>) {
        if let (Some(why), Some(choice)) = (why, self.choice(choice)) {
            choice.stop = Some(why.to_owned());
        }
    }

    fn name_model(&mut self, value: &Value) {
        if let Some(model) = value.as_str().filter(|model| !model.is_empty()) {
            self.model = Some(model.to_owned());
        }
    }

    /// Takes what `value` says of usage; what is said later counts.
    fn take_usage(&mut self, value: &Value) {
        self.take_numbers("", value);
    }

    fn take_numbers(&mut self, prefix: &str, value: &Value) {
        let fits = |(name, _): &(&String, &Value)| prefix.len() + name.len() < MAX_NAME;
        for (name, value) in value.as_object().into_iter().flatten().filter(fits) {
            let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let known = self.usage.iter().position(|(known, _)| *known == name);
            match (value.as_u64(), known) {
                (Some(number), Some(at)) => self.usage[at].1 = number,
                (Some(number), None) if self.usage.len() < MAX_PARTS => self.usage.push((name, number)),
                _ => self.take_numbers(&name, value),
            }
        }
    }

    /// Takes an error in one of the usual forms; whether there is one.
    fn take_error(&mut self, value: &Value) -> bool {
        let error = &value["error"];
        let said = error["message"]
            .as_str()
            .or(error.as_str())
            .or(value["message"].as_str().filter(|_| value["code"].is_string()));
        if let Some(said) = said {
            self.error = Some(said.to_owned());
        }
        said.is_some()
    }
}

impl fmt::Display for Chat {
    /// As text for people, a part after the other.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(model) = &self.model {
            writeln!(f, "model: {model}")?;
        }
        for choice in &self.choices {
            if self.choices.len() > 1 {
                writeln!(f, "choice {}:", choice.index)?;
            }
            write!(f, "{choice}")?;
        }
        if let Some(error) = &self.error {
            writeln!(f, "error: {error}")?;
        }
        for (name, number) in &self.usage {
            writeln!(f, "{name}: {number}")?;
        }
        match (self.is_cut, self.unknown) {
            (true, _) => writeln!(f, "… and more"),
            (false, 0) => Ok(()),
            (false, unknown) => writeln!(f, "events that are unknown: {unknown}"),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, said) in [("reasoning", &self.reasoning), ("refusal", &self.refusal), ("text", &self.text)] {
            if !said.is_empty() {
                writeln!(f, "{name}:\n{}", said.trim_end())?;
            }
        }
        for Call { name, id, arguments, .. } in &self.calls {
            writeln!(f, "call {name} ({id}): {arguments}")?;
        }
        self.stop.iter().try_for_each(|stop| writeln!(f, "stop: {stop}"))
    }
}

#[cfg(test)]
mod tests;
