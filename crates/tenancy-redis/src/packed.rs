//! Commands that come packed: as redis-rs wrote them for the wire.

use crate::refusal::Refusal;

/// The arguments of one packed command.
#[derive(Clone, Debug)]
pub(crate) struct Packed<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Packed<'a> {
    /// The first command of `bytes`, and what follows it.
    ///
    /// # Errors
    ///
    /// Where the server could read it in another way: anything but whole arrays of bulk strings.
    pub(crate) fn first(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Refusal> {
        let (left, rest) = header(bytes, b'*').ok_or(Refusal::BadArguments)?;
        let mut end = rest;
        for _ in 0..left {
            (_, end) = bulk(end).ok_or(Refusal::BadArguments)?;
        }
        Ok((Self { rest, left }, end))
    }

    /// A command, and nothing else.
    ///
    /// # Errors
    ///
    /// As [`first`](Self::first), or where more follows.
    pub(crate) fn only(bytes: &'a [u8]) -> Result<Self, Refusal> {
        match Self::first(bytes)? {
            (command, []) => Ok(command),
            _ => Err(Refusal::BadArguments),
        }
    }
}

impl<'a> Iterator for Packed<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (argument, rest) = bulk(self.rest)?;
        self.rest = rest;
        Some(argument)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Packed<'_> {}

fn bulk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = header(bytes, b'$')?;
    let (argument, rest) = rest.split_at_checked(length)?;
    Some((argument, rest.strip_prefix(b"\r\n")?))
}

fn header(bytes: &[u8], kind: u8) -> Option<(usize, &[u8])> {
    let rest = bytes.strip_prefix(&[kind])?;
    let digits = rest.iter().position(|byte| *byte == b'\r')?;
    let (digits, rest) = rest.split_at_checked(digits)?;
    Some((number(digits)?, rest.strip_prefix(b"\r\n")?))
}

/// A number in its one spelling: the server takes no sign, space or leading zero either.
pub(crate) fn number(digits: &[u8]) -> Option<usize> {
    let canonical = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.iter().all(u8::is_ascii_digit);
    if canonical { str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_redis_packs() {
        for arguments in [&[&b"GET"[..], b"k"][..], &[b"SET", b"", b"*3\r\n$1\r\n\0"], &[&[7; 1000]]] {
            let mut cmd = redis::Cmd::new();
            cmd.arg(arguments);
            let packed = cmd.get_packed_command();
            let read = Packed::only(&packed).unwrap();
            assert_eq!(read.len(), arguments.len());
            assert_eq!(read.collect::<Vec<_>>(), arguments);
        }
    }

    #[test]
    fn nothing_is_read_in_two_ways() {
        for bytes in [
            &b""[..],
            b"GET k\r\n",
            b"*1\r\n",
            b"*1\n$4\nPING\n",
            b"*1\r\n$4\r\nPING",
            b"*1\r\n$4\r\nPINGx\n",
            b"*1\r\n$5\r\nPING\r\n",
            b"*1\r\n$3\r\nPING\r\n",
            b"*+1\r\n$4\r\nPING\r\n",
            b"*01\r\n$4\r\nPING\r\n",
            b"*-1\r\n$4\r\nPING\r\n",
            b"*1\r\n$ 4\r\nPING\r\n",
            b"*1\r\n+PING\r\n",
            b"*99999999999999999999\r\n$4\r\nPING\r\n",
            b"*1\r\n$18446744073709551615\r\nPING\r\n",
            b"*1\r\n$4\r\nPING\r\n*1\r\n$8\r\nFLUSHALL\r\n",
            b"*1\r\n$4\r\nPING\r\n\r\n",
        ] {
            assert_eq!(Packed::only(bytes).err(), Some(Refusal::BadArguments), "{:?}", bytes.escape_ascii());
        }
    }
}
