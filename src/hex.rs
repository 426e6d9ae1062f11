//! Digests as text.

/// The first `max_bytes` bytes as hexadecimal digits in lower case.
pub(crate) fn hex(bytes: &[u8], max_bytes: usize) -> String {
    bytes.iter().take(max_bytes).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_two_digits_and_further_bytes_are_left_out() {
        assert_eq!(hex(&[0, 0x0a, 0xff], 3), "000aff");
        assert_eq!(hex(&[0, 0x0a, 0xff], 2), "000a");
        assert_eq!(hex(&[1], 9), "01");
    }
}
