//! The text form of TLS secrets (RFC 9850, SSLKEYLOGFILE): one secret a line.

use crate::engine::hex::hex;

/// The line of one secret, with its end.
#[must_use]
pub fn line(label: &str, client_random: &[u8], secret: &[u8]) -> String {
    format!("{label} {} {}\n", hex(client_random), hex(secret))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_secret_is_a_label_and_two_hexadecimal_numbers() {
        assert_eq!(line("CLIENT_RANDOM", &[0, 0xab], &[0x0f, 0xf0, 1]), "CLIENT_RANDOM 00ab 0ff001\n");
    }
}
