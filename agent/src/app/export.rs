//! `agent export`: what sessions have recorded, in forms that other programs read.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::captures;
use super::flows::{ALL, Query};
use crate::capture::read::Capture;
use crate::config::invoker;
use crate::engine::http::exchange::Direction;
use crate::engine::record::{Exchange, Half, Outline, har, jsonl, packets, pcapng};
use crate::sandbox::guise;
use crate::ui::escape;

/// What is written where; `-` is standard output.
#[derive(Clone, Debug, Default)]
pub struct Export {
    /// What is meant.
    pub query: Query,
    /// `--har`.
    pub har: Option<PathBuf>,
    /// `--jsonl`.
    pub jsonl: Option<PathBuf>,
    /// `--bodies`.
    pub bodies: Option<PathBuf>,
    /// `--keylog`.
    pub keylog: Option<PathBuf>,
    /// `--pcapng`.
    pub pcapng: Option<PathBuf>,
}

/// Writes all that was asked for.
///
/// # Errors
/// If nothing was, or something cannot be read or written.
pub fn export(export: &Export) -> anyhow::Result<()> {
    let files = [&export.har, &export.jsonl, &export.keylog, &export.pcapng];
    let wanted = files.into_iter().flatten().count() + usize::from(export.bodies.is_some());
    ensure!(
        wanted > 0,
        "say what to write: `--har FILE`, `--jsonl FILE`, `--bodies DIR`, `--keylog FILE`, `--pcapng FILE`"
    );
    let to_output = files.into_iter().flatten().filter(|path| is_output(path)).count();
    ensure!(to_output <= 1, "only one of the files can be `-`, standard output");
    let capture = captures::open(&export.query.choice)?;
    let outlines = export.query.outlines(&capture, ALL)?;
    let ids: Vec<i64> = outlines.iter().map(|outline| outline.id).collect();
    if let Some(path) = &export.har {
        to(path, |out| write_har(&capture, &ids, out))?;
    }
    if let Some(path) = &export.jsonl {
        to(path, |out| each(&capture, &ids, |exchange| Ok(writeln!(out, "{}", line(exchange))?)))?;
    }
    if let Some(path) = &export.keylog {
        to(path, |out| capture.secrets()?.iter().try_for_each(|line| Ok(writeln!(out, "{line}")?)))?;
    }
    if let Some(path) = &export.pcapng {
        to(path, |out| write_packets(&capture, &outlines, out))?;
    }
    if let Some(folder) = &export.bodies {
        bodies(&capture, &ids, folder)?;
    }
    Ok(())
}

/// Writes a file of the user's.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    to(path, |out| Ok(out.write_all(bytes)?))
}

fn is_output(path: &Path) -> bool {
    path == Path::new("-")
}

/// Opens `path` and has it written. A reader of standard output that has gone has seen enough.
fn to(path: &Path, write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if is_output(path) {
        let mut out = BufWriter::new(io::stdout().lock());
        let written = write(&mut out).and_then(|()| Ok(out.flush()?));
        let is_gone = |error: &anyhow::Error| {
            error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        };
        return written.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) });
    }
    let failed = || format!("cannot write `{}`", path.display());
    let mut out = BufWriter::new(as_invoker(|| create(path)).with_context(failed)?);
    write(&mut out)?;
    out.flush().with_context(failed)
}

/// A file that its owner alone may read; the one that there is loses what is in it.
fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Acts on files as whoever called sudo: nothing is made or overwritten that they could not have.
fn as_invoker<T>(act: impl FnOnce() -> io::Result<T>) -> anyhow::Result<T> {
    let user = invoker::invoking()?;
    if nix::unistd::geteuid().is_root() { Ok(guise::as_user(&user, act)??) } else { Ok(act()?) }
}

fn each(capture: &Capture, ids: &[i64], mut take: impl FnMut(&Exchange) -> anyhow::Result<()>) -> anyhow::Result<()> {
    ids.iter().try_for_each(|id| take(&capture.exchange(*id)?))
}

fn write_har(capture: &Capture, ids: &[i64], out: &mut dyn Write) -> anyhow::Result<()> {
    let session = capture.about("session")?.unwrap_or_default();
    let command = capture.about("command")?.filter(|command| !command.is_empty());
    let command = command.map(|command| format!(": {command}")).unwrap_or_default();
    out.write_all(har::begin(&format!("session {session}{command}")).as_bytes())?;
    let mut separator = "";
    each(capture, ids, |exchange| {
        let entry = har::entry(exchange).to_string();
        write!(out, "{separator}{}", escape::json(&entry))?;
        separator = ",\n";
        Ok(())
    })?;
    Ok(out.write_all(har::END.as_bytes())?)
}

/// Writes connection by connection, so that no more than the exchanges of one are in memory.
fn write_packets(capture: &Capture, outlines: &[Outline], out: &mut dyn Write) -> anyhow::Result<()> {
    let mut connections: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for outline in outlines {
        connections.entry(outline.connection).or_default().push(outline.id);
    }
    let mut buffer = Vec::new();
    pcapng::section(&mut buffer, concat!("agent ", env!("CARGO_PKG_VERSION")));
    pcapng::interface(&mut buffer, "gw0", "made from stored exchanges", 0);
    for ids in connections.values() {
        let exchanges = ids.iter().map(|id| capture.exchange(*id)).collect::<Result<Vec<_>, _>>()?;
        if let Some(connection) = exchanges.first().and_then(|first| first.connection.as_ref()) {
            packets::connection(connection, &exchanges, &mut buffer);
        }
        out.write_all(&buffer)?;
        buffer.clear();
    }
    Ok(out.write_all(&buffer)?)
}

fn line(exchange: &Exchange) -> String {
    escape::json(&jsonl::object(exchange).to_string()).into_owned()
}

/// Writes each body, decoded, to a file of its own.
fn bodies(capture: &Capture, ids: &[i64], folder: &Path) -> anyhow::Result<()> {
    let make = || DirBuilder::new().recursive(true).mode(0o700).create(folder);
    as_invoker(make).with_context(|| format!("cannot create `{}`", folder.display()))?;
    each(capture, ids, |exchange| {
        for (direction, half) in Direction::BOTH.into_iter().zip([Some(&exchange.request), exchange.response.as_ref()])
        {
            let Some(half) = half.filter(|half| half.body.is_some()) else { continue };
            let path = folder.join(format!("{}-{}.{}", exchange.outline.id, direction.name(), extension(half)));
            write(&path, &half.decoded().bytes)?;
        }
        Ok(())
    })
}

/// What files of the body's type are usually called.
fn extension(half: &Half) -> &'static str {
    let media = half.value("content-type").unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "text/html" => "html",
        "text/css" => "css",
        "text/javascript" | "application/javascript" => "js",
        "application/xml" | "text/xml" => "xml",
        "application/pdf" => "pdf",
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/svg+xml" => "svg",
        media if media == "application/json" || media.ends_with("+json") => "json",
        media if media.starts_with("text/") || media == "application/x-www-form-urlencoded" => "txt",
        _ => "bin",
    }
}
