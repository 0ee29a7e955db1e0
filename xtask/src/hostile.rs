//! Requests that no server should have to see, a new one for each number.

use std::io::{self, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use crate::client::{connect, hear, say, say_and_close};
use crate::firmware::ACTIVE;

/// A generator that is the same each time (xorshift64*, Vigna 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or(0)
    }

    fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let count = self.below(longest);
        (0..count).map(|_| self.next().to_le_bytes()[7]).collect()
    }
}

/// Sends the broken request of this number, and gives what came back before the close.
pub(crate) fn send(port: u16, number: u64) -> io::Result<Vec<u8>> {
    let random = &mut Random::new(number);
    let tenant = ACTIVE[0];
    let head = |fields: &str| format!("GET / HTTP/1.1\r\nHost: device\r\n{fields}\r\n").into_bytes();
    let bytes = match number % 16 {
        0 => random.bytes(2_000),
        1 => [&b"GET / HTTP/1.1\r\n"[..], &random.bytes(600), b"\r\n\r\n"].concat(),
        2 => {
            let whole = head(&format!("X-Tenant-ID: {tenant}\r\n"));
            whole[..random.below(whole.len() - 1)].to_vec()
        }
        3 => head(&format!("X-Tenant-ID: {}\r\n", "a".repeat(random.below(4_000)))),
        4 => head(&format!("X-Tenant-ID: {tenant}\r\nX-Tenant-ID: {}\r\n", ACTIVE[1])),
        5 => head(&format!("X-Tenant-ID: {tenant}, {tenant}\r\n")),
        6 => head(&format!("X-Tenant-ID: {tenant}\0\r\n")),
        7 => head(&format!("X-Tenant-ID : {tenant}\r\n")),
        8 => head(&format!("X-Tenant-ID:\r\n {tenant}\r\n")),
        9 => head(&"A: b\r\n".repeat(25 + random.below(200))),
        // A good request behind one without a tenant: it must not lend it its own.
        10 if number % 32 == 10 => [head(""), head(&format!("X-Tenant-ID: {tenant}\r\n"))].concat(),
        10 => format!("GET / HTTP/1.1 X-Tenant-ID: {tenant}").into_bytes(),
        11 => head("X-Tenant-ID: 00000000-0000-0000-0000-000000000000\r\n"),
        12 => [&b"\x16\x03\x01\x02\x00\x01"[..], &random.bytes(500)].concat(),
        13 => {
            let mut whole = head(&format!("X-Tenant-ID: {tenant}\r\n"));
            // Within the id, where every byte counts.
            let at = whole.len() - 10 - random.below(20);
            whole[at] = b"\xff\x00gG/:@`{ "[random.below(10)];
            whole
        }
        14 => return abandon(port, random),
        _ => return trickle(port, number, random),
    };
    if wants_answer(number) { say(port, &bytes) } else { say_and_close(port, &bytes) }
}

/// Whether the broken request of this number comes to an end or to a fault, and before the head is too large:
/// who sends on may see the close before the answer.
pub(crate) fn wants_answer(number: u64) -> bool {
    !matches!(number % 16, 0 | 2 | 3 | 9 | 14 | 15)
}

/// Half a head, and gone.
fn abandon(port: u16, random: &mut Random) -> io::Result<Vec<u8>> {
    let mut stream = connect(port)?;
    stream.write_all(&b"GET / HTTP/1.1\r\nX-Tenant-ID: 550e8400"[..random.below(38)])?;
    Ok(Vec::new())
}

/// Byte after byte; now and then too slowly, and never to an end.
fn trickle(port: u16, number: u64, random: &mut Random) -> io::Result<Vec<u8>> {
    let is_slow = number % 1_600 == 15;
    let mut stream = connect(port)?;
    for byte in "GET / HTTP/1.1\r\nX-Tenant-ID: no".bytes().take(if is_slow { 30 } else { random.below(30) })
    {
        if stream.write_all(&[byte]).is_err() {
            break;
        }
        if is_slow {
            thread::sleep(Duration::from_millis(150));
        }
    }
    if is_slow {
        // The device's patience has to end, for this client's never does.
        return hear(&mut stream);
    }
    // Fails where the device has closed already.
    let _ = stream.shutdown(Shutdown::Write);
    hear(&mut stream)
}
