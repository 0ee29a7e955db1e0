//! The part of CBOR that a token consists of (RFC 8949), in deterministic encoding (section 4.2).

use crate::error::TokenErrorKind::{self, Malformed};

/// The kinds of data items (RFC 8949, section 3.1).
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// An integer from -2^64 to 2^64 - 1. A negative one is `-1 - argument`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Int {
    is_negative: bool,
    argument: u64,
}

impl Int {
    pub(crate) const fn positive(value: u64) -> Self {
        Self { is_negative: false, argument: value }
    }

    /// Returns the integer `-1 - argument`.
    pub(crate) const fn negative(argument: u64) -> Self {
        Self { is_negative: true, argument }
    }
}

/// Reads data items strictly: definite lengths, and each length and integer in its shortest form.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'t> {
    rest: &'t [u8],
}

impl<'t> Reader<'t> {
    pub(crate) const fn new(bytes: &'t [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the bytes that were not read yet.
    pub(crate) const fn rest(&self) -> &'t [u8] {
        self.rest
    }

    pub(crate) fn end(&self) -> Result<(), TokenErrorKind> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    pub(crate) fn array(&mut self) -> Result<u64, TokenErrorKind> {
        self.argument(ARRAY)
    }

    pub(crate) fn map(&mut self) -> Result<u64, TokenErrorKind> {
        self.argument(MAP)
    }

    pub(crate) fn tag(&mut self) -> Result<u64, TokenErrorKind> {
        self.argument(TAG)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, TokenErrorKind> {
        self.argument(UNSIGNED)
    }

    pub(crate) fn integer(&mut self) -> Result<Int, TokenErrorKind> {
        match self.head()? {
            (UNSIGNED, argument) => Ok(Int::positive(argument)),
            (NEGATIVE, argument) => Ok(Int::negative(argument)),
            _ => Err(Malformed),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'t [u8], TokenErrorKind> {
        let length = self.argument(BYTES)?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'t str, TokenErrorKind> {
        let length = self.argument(TEXT)?;
        core::str::from_utf8(self.take(length)?).map_err(|_| Malformed)
    }

    /// Reads a data item, and returns the integer if it is one. Rejects everything but integers and strings.
    pub(crate) fn integer_or_string(&mut self) -> Result<Option<Int>, TokenErrorKind> {
        let mut ahead = self.clone();
        match ahead.head()?.0 {
            BYTES => self.bytes().map(|_| None),
            TEXT => self.text().map(|_| None),
            _ => self.integer().map(Some),
        }
    }

    // One copy for all callers, because flash is scarce.
    #[inline(never)]
    fn argument(&mut self, expected: u8) -> Result<u64, TokenErrorKind> {
        match self.head()? {
            (kind, argument) if kind == expected => Ok(argument),
            _ => Err(Malformed),
        }
    }

    /// Reads the head of a data item: its kind, and its value or length.
    fn head(&mut self) -> Result<(u8, u64), TokenErrorKind> {
        let (first, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        let (kind, short) = (first >> 5, first & 0x1f);
        let size = match short {
            0..24 => return Ok((kind, u64::from(short))),
            24..28 => 1_u64 << (short - 24),
            // Reserved, or an indefinite length.
            _ => return Err(Malformed),
        };
        let argument = self.take(size)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        let shortest = if size == 1 { 24 } else { 1 << (size * 4) };
        if argument < shortest { Err(Malformed) } else { Ok((kind, argument)) }
    }

    fn take(&mut self, length: u64) -> Result<&'t [u8], TokenErrorKind> {
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Writes data items in deterministic encoding. It counts the bytes that do not fit, and does not write them.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl<'b> Writer<'b> {
    pub(crate) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Returns the number of bytes so far, including those that did not fit.
    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// Returns what was written since the length was `start`, or an error if it did not fit.
    pub(crate) fn since(&self, start: usize) -> Result<&[u8], TokenErrorKind> {
        self.buffer.get(start..self.length).ok_or(TokenErrorKind::Buffer)
    }

    /// Returns what was written, or an error if it did not fit.
    pub(crate) fn finish(self) -> Result<&'b [u8], TokenErrorKind> {
        let buffer: &'b [u8] = self.buffer;
        buffer.get(..self.length).ok_or(TokenErrorKind::Buffer)
    }

    pub(crate) fn array(&mut self, count: u64) {
        self.head(ARRAY, count);
    }

    pub(crate) fn map(&mut self, count: u64) {
        self.head(MAP, count);
    }

    pub(crate) fn tag(&mut self, tag: u64) {
        self.head(TAG, tag);
    }

    pub(crate) fn integer(&mut self, value: Int) {
        self.head(if value.is_negative { NEGATIVE } else { UNSIGNED }, value.argument);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes_head(bytes.len());
        self.raw(bytes);
    }

    /// Writes the head of a byte string. The caller writes this many bytes next.
    pub(crate) fn bytes_head(&mut self, length: usize) {
        self.head(BYTES, length as u64);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.raw(text.as_bytes());
    }

    /// Writes encoded data items.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(place) = self.buffer.get_mut(self.length..end) {
            // Not `copy_from_slice`, which panics if the lengths differ.
            place.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        }
        self.length = end;
    }

    fn head(&mut self, kind: u8, argument: u64) {
        let bytes = argument.to_be_bytes();
        let (short, size) = match argument {
            0..24 => (bytes[7], 0),
            24..0x100 => (24, 1),
            0x100..0x1_0000 => (25, 2),
            0x1_0000..0x1_0000_0000 => (26, 4),
            _ => (27, 8),
        };
        self.raw(&[kind << 5 | short]);
        self.raw(bytes.get(8 - size..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodings of RFC 8949, appendix A, and of the borders between the lengths of arguments.
    const INTEGERS: [(Int, &[u8]); 17] = [
        (Int::positive(0), &[0x00]),
        (Int::positive(1), &[0x01]),
        (Int::positive(23), &[0x17]),
        (Int::positive(24), &[0x18, 0x18]),
        (Int::positive(100), &[0x18, 0x64]),
        (Int::positive(255), &[0x18, 0xff]),
        (Int::positive(256), &[0x19, 0x01, 0x00]),
        (Int::positive(1000), &[0x19, 0x03, 0xe8]),
        (Int::positive(65_535), &[0x19, 0xff, 0xff]),
        (Int::positive(65_536), &[0x1a, 0x00, 0x01, 0x00, 0x00]),
        (Int::positive(1_000_000), &[0x1a, 0x00, 0x0f, 0x42, 0x40]),
        (Int::positive(1_000_000_000_000), &[0x1b, 0x00, 0x00, 0x00, 0xe8, 0xd4, 0xa5, 0x10, 0x00]),
        (Int::positive(u64::MAX), &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        (Int::negative(0), &[0x20]),
        (Int::negative(99), &[0x38, 0x63]),
        (Int::negative(999), &[0x39, 0x03, 0xe7]),
        (Int::negative(u64::MAX), &[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ];

    #[test]
    fn integers_have_the_encodings_of_the_standard() {
        for (value, encoded) in INTEGERS {
            let mut buffer = [0; 9];
            let mut writer = Writer::new(&mut buffer);
            writer.integer(value);
            assert_eq!(writer.finish(), Ok(encoded));
            let mut reader = Reader::new(encoded);
            assert_eq!(reader.integer(), Ok(value));
            assert_eq!(reader.end(), Ok(()));
            for end in 0..encoded.len() {
                assert_eq!(Reader::new(&encoded[..end]).integer(), Err(Malformed));
            }
        }
    }

    #[test]
    fn rejects_arguments_that_are_not_shortest() {
        let long: [&[u8]; 6] = [
            &[0x18, 0x17],
            &[0x19, 0x00, 0xff],
            &[0x1a, 0x00, 0x00, 0xff, 0xff],
            &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            &[0x38, 0x00],
            &[0x3b, 0, 0, 0, 0, 0, 0, 0, 0],
        ];
        for encoded in long {
            assert_eq!(Reader::new(encoded).integer(), Err(Malformed), "{encoded:x?}");
        }
        assert_eq!(Reader::new(&[0x58, 0x01, 0x00]).bytes(), Err(Malformed));
    }

    #[test]
    fn rejects_indefinite_lengths_and_reserved_heads() {
        for short in 28..32 {
            for kind in 0..8 {
                assert_eq!(Reader::new(&[kind << 5 | short, 0, 0xff]).head(), Err(Malformed));
            }
        }
    }

    #[test]
    fn rejects_lengths_beyond_the_end() {
        assert_eq!(Reader::new(&[0x42, 0x00]).bytes(), Err(Malformed));
        assert_eq!(Reader::new(&[0x62, b'a']).text(), Err(Malformed));
        let huge = [0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00];
        assert_eq!(Reader::new(&huge).bytes(), Err(Malformed));
    }

    #[test]
    fn rejects_text_that_is_not_utf_8() {
        assert_eq!(Reader::new(&[0x62, 0xc3, 0xbc]).text(), Ok("\u{fc}"));
        assert_eq!(Reader::new(&[0x62, 0xc3, 0x28]).text(), Err(Malformed));
        assert_eq!(Reader::new(&[0x62, 0xc3, 0x28]).integer_or_string(), Err(Malformed));
    }

    #[test]
    fn counts_what_does_not_fit() {
        let mut buffer = [0; 3];
        let mut writer = Writer::new(&mut buffer);
        writer.bytes(b"abc");
        assert_eq!(writer.length(), 4);
        assert_eq!(writer.since(0), Err(TokenErrorKind::Buffer));
        assert_eq!(writer.finish(), Err(TokenErrorKind::Buffer));
    }
}
