//! The text form of TLS secrets (RFC 9850, SSLKEYLOGFILE): one secret a line.

use std::fmt::Write as _;

/// The line of one secret, with its end.
#[must_use]
pub fn line(label: &str, client_random: &[u8], secret: &[u8]) -> String {
    let mut line = String::with_capacity(label.len() + 2 * (client_random.len() + secret.len()) + 3);
    line.push_str(label);
    for bytes in [client_random, secret] {
        line.push(' ');
        for byte in bytes {
            // Writing to a string cannot fail.
            write!(line, "{byte:02x}").unwrap_or_default();
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_secret_is_a_label_and_two_hexadecimal_numbers() {
        assert_eq!(line("CLIENT_RANDOM", &[0, 0xab], &[0x0f, 0xf0, 1]), "CLIENT_RANDOM 00ab 0ff001\n");
    }
}
