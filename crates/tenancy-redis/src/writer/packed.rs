//! Commands in the form of the wire.

use std::io::Write;

use tenancy::TenantPrefix;

use super::{Keys, Sink};
use crate::arguments::Arguments;

/// Packed commands in one buffer. A handle reuses its memory.
#[derive(Default)]
pub(crate) struct PackedBuffer {
    bytes: Vec<u8>,
    /// Where the number of arguments of the last command is.
    header: (usize, usize),
    /// The number of arguments in the header, and of those that were written.
    announced: usize,
    written: usize,
}

impl PackedBuffer {
    /// A buffer that is larger than this many bytes is released once it was sent.
    const MAX_KEPT: usize = 64 * 1024;

    /// The first allocation has this many bytes, so that most commands need no other.
    const FIRST: usize = 256;

    /// Removes what an earlier call left, and reserves space.
    #[inline]
    pub(crate) fn clear(&mut self, capacity: usize) {
        self.bytes.clear();
        self.bytes.reserve(capacity.max(Self::FIRST));
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes bytes that are packed already.
    pub(crate) fn raw(&mut self, packed: &[u8]) {
        self.bytes.extend_from_slice(packed);
    }

    /// Releases the memory if there is much of it.
    #[inline]
    pub(crate) fn release(&mut self) {
        if self.bytes.capacity() > Self::MAX_KEPT {
            *self = Self::default();
        }
    }

    /// Writes the end of the previous argument and the length of the next one.
    #[allow(clippy::cast_possible_truncation, reason = "a digit")]
    #[inline]
    fn length(&mut self, length: usize) {
        let digit = |power: usize| b'0' + (length / power % 10) as u8;
        // Arrays of a known size are stored at once.
        match length {
            0..10 => self.bytes.extend_from_slice(&[b'\r', b'\n', b'$', digit(1), b'\r', b'\n']),
            10..100 => {
                self.bytes.extend_from_slice(&[b'\r', b'\n', b'$', digit(10), digit(1), b'\r', b'\n']);
            }
            100..1000 => self.bytes.extend_from_slice(&[
                b'\r',
                b'\n',
                b'$',
                digit(100),
                digit(10),
                digit(1),
                b'\r',
                b'\n',
            ]),
            _ => self.long(length),
        }
        self.written += 1;
    }

    #[cold]
    fn long(&mut self, length: usize) {
        write!(self.bytes, "\r\n${length}\r\n").expect("a vector accepts all bytes");
    }

    #[cold]
    fn correct_header(&mut self) {
        let (start, end) = self.header;
        self.bytes.splice(start..end, self.written.to_string().into_bytes());
    }
}

impl Sink for PackedBuffer {
    #[allow(clippy::cast_possible_truncation, reason = "a digit")]
    #[inline]
    fn begin<'a>(&mut self, arguments: &impl Arguments<'a>, extra: usize, _: Keys<'_>) {
        self.announced = arguments.len() + extra;
        self.written = 0;
        self.bytes.push(b'*');
        let start = self.bytes.len();
        if self.announced < 10 {
            self.bytes.push(b'0' + self.announced as u8);
        } else {
            write!(self.bytes, "{}", self.announced).expect("a vector accepts all bytes");
        }
        self.header = (start, self.bytes.len());
    }

    #[inline]
    fn plain(&mut self, argument: &[u8]) {
        self.length(argument.len());
        self.bytes.extend_from_slice(argument);
    }

    #[inline]
    fn key(&mut self, prefix: &[u8], key: &[u8]) {
        self.length(prefix.len() + key.len());
        // Without a namespace, the prefix has a known length, and is copied without a call.
        match <&[u8; TenantPrefix::<b':'>::LEN]>::try_from(prefix) {
            Ok(prefix) => self.bytes.extend_from_slice(prefix),
            Err(_) => self.bytes.extend_from_slice(prefix),
        }
        self.bytes.extend_from_slice(key);
    }

    #[inline]
    fn finish(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
        if self.written != self.announced {
            self.correct_header();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_KEYS: Keys<'_> = Keys { count: 0, prefix: b"" };

    /// Asserts that the server reads what was written, whatever the lengths of arguments and the number of them.
    #[test]
    fn writes_what_redis_packs() {
        let mut buffer = PackedBuffer::default();
        for length in [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 1001, 10_000] {
            for count in [1, 2, 9, 10, 11, 100] {
                let argument = vec![b'x'; length];
                let mut expected = redis::Cmd::new();
                buffer.clear(0);
                buffer.begin(&vec![&argument[..]; count].into_iter(), 0, NO_KEYS);
                for index in 0..count {
                    expected.arg(&argument);
                    match index % 2 {
                        0 => buffer.plain(&argument),
                        _ => buffer.key(&argument[..length / 2], &argument[length / 2..]),
                    }
                }
                buffer.finish();
                assert!(buffer.as_bytes() == expected.get_packed_command(), "{count} of {length}");
            }
        }
    }

    /// The header is the number of arguments that were written, whatever was announced.
    #[test]
    fn corrects_the_number_of_arguments() {
        for (announced, written) in [(1, 3), (3, 1), (9, 11), (11, 9), (8, 10)] {
            let mut buffer = PackedBuffer::default();
            buffer.raw(b"*1\r\n$4\r\nPING\r\n");
            buffer.begin(&vec![&b"a"[..]; announced].into_iter(), 0, NO_KEYS);
            (0..written).for_each(|_| buffer.plain(b"a"));
            buffer.finish();
            let mut expected = redis::Cmd::new();
            expected.arg(vec!["a"; written]);
            let expected = [&b"*1\r\n$4\r\nPING\r\n"[..], &expected.get_packed_command()].concat();
            assert_eq!(buffer.as_bytes(), expected, "{announced} {written}");
        }
    }
}
