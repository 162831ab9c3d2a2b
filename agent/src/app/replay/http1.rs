//! HTTP/1 to the letter: fields go out as they are spelled, and come in as they are.

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BytesMut};
use http::Method;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::order::{Fields, Order};
use super::send::{BODY, MAX_BODY, Received, STEP, Stream};
use crate::engine::http::Field;
use crate::engine::wire::http1::{Body, Response, Scanner, Step, response, response_body};

/// Sends the request and takes the answer as far as it comes in time.
pub(super) async fn exchange(stream: Box<dyn Stream>, order: &Order) -> anyhow::Result<Received> {
    let request = request(order)?;
    let (reader, mut writer) = tokio::io::split(stream);
    let mut incoming = Incoming { reader, buffer: BytesMut::new() };
    let send = async {
        // A server may answer and close before it has read all.
        if let Err(error) = writer.write_all(&request).await {
            tracing::debug!(%error, "not all of the request was sent");
        }
    };
    let method = Method::from_bytes(order.method.as_bytes())?;
    let (received, ()) = tokio::join!(incoming.answer(&method), send);
    received
}

/// The request as it goes out.
fn request(order: &Order) -> anyhow::Result<Vec<u8>> {
    let mut text = format!("{} {} {}\r\n", order.method, order.path, order.version);
    for (name, value) in &order.fields {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut request = format!("{text}\r\n").into_bytes();
    let body = order.body.as_ref().map(|body| STANDARD.decode(body)).transpose()?.unwrap_or_default();
    let is_chunked = order.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
    if is_chunked && !body.is_empty() {
        request.extend(format!("{:x}\r\n", body.len()).into_bytes());
        request.extend([&body[..], b"\r\n"].concat());
    } else {
        request.extend(body);
    }
    request.extend_from_slice(if is_chunked { b"0\r\n\r\n" } else { b"" });
    Ok(request)
}

/// What comes from the server.
struct Incoming<R> {
    reader: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    async fn answer(&mut self, method: &Method) -> anyhow::Result<Received> {
        let head =
            timeout(STEP, self.final_head()).await.map_err(anyhow::Error::from).flatten().context("no answer")?;
        let mut received = Received { status: head.status, fields: pairs(&head.fields), ..Received::default() };
        let framing = response_body(&head, method).map_err(|why| anyhow::anyhow!("{}", why.0))?;
        match timeout(BODY, self.body(framing, &mut received)).await {
            Ok(read) => read?,
            Err(_elapsed) => received.is_cut = true,
        }
        Ok(received)
    }

    /// The head after those that only inform.
    async fn final_head(&mut self) -> anyhow::Result<Response> {
        loop {
            let head = self.head().await?;
            match head.status {
                101 => bail!("the server switched to another protocol"),
                100..=199 => {}
                _ => return Ok(head),
            }
        }
    }

    async fn head(&mut self) -> anyhow::Result<Response> {
        let mut scanner = Scanner::default();
        loop {
            let end = scanner.end_of_head(&self.buffer).context("an answer that is not HTTP/1")?;
            if let Some(end) = end {
                let head = response(&self.buffer.split_to(end)).context("an answer that is not HTTP/1")?;
                return Ok(head);
            }
            if !self.more().await? {
                bail!("the connection ended without an answer");
            }
        }
    }

    async fn body(&mut self, mut framing: Body, received: &mut Received) -> anyhow::Result<()> {
        while received.body.len() <= MAX_BODY {
            match framing.step(&self.buffer).context("an answer that is framed wrongly")? {
                Step::End => return Ok(()),
                Step::Content(length) => {
                    received.body.extend_from_slice(&self.buffer[..length]);
                    self.buffer.advance(length);
                }
                Step::Framing(length) => self.buffer.advance(length),
                Step::Trailers(_, fields) => {
                    received.trailers = pairs(&fields);
                    return Ok(());
                }
                Step::More => {
                    if !self.more().await? {
                        received.is_cut = !matches!(framing, Body::UntilClose);
                        return Ok(());
                    }
                }
            }
        }
        received.is_cut = true;
        Ok(())
    }

    /// Reads on; whether there was more.
    async fn more(&mut self) -> anyhow::Result<bool> {
        Ok(self.reader.read_buf(&mut self.buffer).await.context("the connection broke off")? > 0)
    }
}

fn pairs(fields: &[Field]) -> Fields {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    fields.iter().map(|field| (text(&field.name), text(&field.value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(method: &str, answer: &'static [u8]) -> anyhow::Result<Received> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut incoming = Incoming { reader: answer, buffer: BytesMut::new() };
        runtime.block_on(incoming.answer(&method.parse().unwrap()))
    }

    #[test]
    fn answers_are_read_however_they_are_framed() {
        for (method, answer, body, is_cut) in [
            ("GET", &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"[..], "hi", false),
            ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", "hi", true),
            ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "", false),
            ("GET", b"HTTP/1.0 200 OK\r\n\r\nto the end", "to the end", false),
            ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\n", "hi", false),
            ("PUT", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", false),
        ] {
            let received = received(method, answer).unwrap();
            assert_eq!(
                (received.status, &received.body[..], received.is_cut),
                (200, body.as_bytes(), is_cut),
                "{method}"
            );
        }
        for answer in [&b"SSH-2.0-x\r\n\r\n"[..], b"", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"] {
            assert!(received("GET", answer).is_err());
        }
    }

    #[test]
    fn names_keep_their_spelling() {
        let received = received("GET", b"HTTP/1.1 204 No\r\nX-oDD: a\r\nx-odd: b\r\n\r\n").unwrap();
        assert_eq!(received.fields, [("X-oDD".into(), "a".into()), ("x-odd".into(), "b".into())]);
    }
}
