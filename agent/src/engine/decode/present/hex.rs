//! Bytes in hexadecimal, sixteen a line, with their offset and what of them is ASCII.

/// Bytes of one line.
const LINE: usize = 16;
/// Most lines; of what has more, the first and the last half of them are shown.
const MAX_LINES: usize = 512;

/// All of `bytes`, or their beginning and end with the number of those between.
pub(super) fn dump(bytes: &[u8]) -> String {
    let lines: Vec<&[u8]> = bytes.chunks(LINE).collect();
    let line = |at: usize| line(at * LINE, lines[at]);
    if lines.len() <= MAX_LINES {
        return (0..lines.len()).map(line).collect();
    }
    let (head, tail) = (MAX_LINES / 2, lines.len() - MAX_LINES / 2);
    let between = format!("… {} bytes …\n", (tail - head) * LINE);
    (0..head).map(line).chain([between]).chain((tail..lines.len()).map(line)).collect()
}

fn line(offset: usize, bytes: &[u8]) -> String {
    let mut line = format!("{offset:08x} ");
    for at in 0..LINE {
        if at % 8 == 0 {
            line.push(' ');
        }
        match bytes.get(at) {
            Some(byte) => line.push_str(&format!("{byte:02x} ")),
            None => line.push_str("   "),
        }
    }
    let seen = |&byte: &u8| if byte == b' ' || byte.is_ascii_graphic() { char::from(byte) } else { '.' };
    line.push_str(" |");
    line.extend(bytes.iter().map(seen));
    line.push_str("|\n");
    line
}
