//! Content codings (RFC 9110, 8.4): what compressed a body, and how to decode it.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Decoding ends here, because a small body can decode to gigabytes.
const MAX_DECODED_BYTES: u64 = 256 * 1024 * 1024;
const BUFFER_BYTES: usize = 16 * 1024;

/// What a `Content-Encoding` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    #[default]
    Identity,
    Gzip,
    Deflate,
    /// One that cannot be decoded here, or several.
    Unknown,
}

impl Encoding {
    /// What is no coding, such as `utf-8`, says nothing: some servers send that, and clients ignore it.
    pub(crate) fn from_header(value: &[u8]) -> Self {
        let coding = |part: &[u8]| match part.trim_ascii().to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Self::Gzip,
            b"deflate" => Self::Deflate,
            b"br" | b"zstd" | b"compress" | b"x-compress" => Self::Unknown,
            _ => Self::Identity,
        };
        value.split(|&byte| byte == b',').map(coding).fold(Self::Identity, Self::and)
    }

    /// Of something that was encoded twice.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (one, Self::Identity) | (Self::Identity, one) => one,
            _ => Self::Unknown,
        }
    }

    /// Passes the decoded pieces of `bytes` to `feed` until that returns false.
    ///
    /// # Errors
    /// If the bytes are not what the encoding says, or decode to more than 256 MiB.
    pub(crate) fn decode(self, bytes: &[u8], mut feed: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
        let mut decoded: Box<dyn Read + '_> = match self {
            Self::Identity => Box::new(bytes),
            Self::Gzip => Box::new(MultiGzDecoder::new(bytes)),
            Self::Deflate if is_zlib(bytes) => Box::new(ZlibDecoder::new(bytes)),
            Self::Deflate => Box::new(DeflateDecoder::new(bytes)),
            Self::Unknown => return Err(io::ErrorKind::Unsupported.into()),
        };
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut left = MAX_DECODED_BYTES;
        loop {
            let read = decoded.read(&mut buffer)?;
            if read == 0 || !feed(&buffer[..read]) {
                return Ok(());
            }
            left = left.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        }
    }
}

/// Some servers send bare deflate, without the header of zlib that the standard asks for.
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [cmf, flags, ..] if cmf & 0x0f == 8 && u16::from_be_bytes([*cmf, *flags]).is_multiple_of(31))
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn all(mut reader: impl Read) -> Vec<u8> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        all(GzEncoder::new(text, Compression::default()))
    }

    fn decoded(encoding: Encoding, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut decoded = Vec::new();
        encoding.decode(bytes, |piece| {
            decoded.extend_from_slice(piece);
            true
        })?;
        Ok(decoded)
    }

    #[test]
    fn headers_name_an_encoding() {
        for (value, encoding) in [
            ("gzip", Encoding::Gzip),
            (" X-GZIP ", Encoding::Gzip),
            ("Deflate", Encoding::Deflate),
            ("identity", Encoding::Identity),
            ("", Encoding::Identity),
            ("br", Encoding::Unknown),
            ("gzip, gzip", Encoding::Unknown),
            ("identity, gzip", Encoding::Gzip),
            ("utf-8", Encoding::Identity),
        ] {
            assert_eq!(Encoding::from_header(value.as_bytes()), encoding, "{value:?}");
        }
    }

    #[test]
    fn what_was_compressed_is_decoded() {
        let text = "the Ever Given ".repeat(10_000).into_bytes();
        assert_eq!(decoded(Encoding::Gzip, &gzip(&text)).unwrap(), text);
        assert_eq!(
            decoded(Encoding::Gzip, &[gzip(b"a"), gzip(b"b")].concat()).unwrap(),
            b"ab",
            "two members"
        );
        let zlib = all(ZlibEncoder::new(&text[..], Compression::default()));
        let bare = all(DeflateEncoder::new(&text[..], Compression::default()));
        assert_eq!(decoded(Encoding::Deflate, &zlib).unwrap(), text);
        assert_eq!(decoded(Encoding::Deflate, &bare).unwrap(), text);
    }

    #[test]
    fn what_cannot_be_decoded_is_an_error() {
        let text = "the Ever Given ".repeat(10_000).into_bytes();
        let whole = gzip(&text);
        assert!(decoded(Encoding::Gzip, &whole[..whole.len() - 9]).is_err());
        assert!(decoded(Encoding::Gzip, b"plain").is_err() && decoded(Encoding::Deflate, b"plain").is_err());
        assert!(decoded(Encoding::Unknown, &whole).is_err());
    }

    #[test]
    fn decoding_ends_where_nothing_more_is_needed() {
        let zeros = vec![0; 10 * BUFFER_BYTES];
        let mut pieces = 0;
        let end = Encoding::Gzip.decode(&gzip(&zeros), |_| {
            pieces += 1;
            pieces < 2
        });
        assert!(end.is_ok() && pieces == 2);
    }
}
