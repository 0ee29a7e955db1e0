//! Malformed requests, a different one for each number.

use std::io::{self, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use super::client::{connect, receive, send, send_and_close};
use super::fixtures::ACTIVE;

/// A reproducible random generator (xorshift64*, Vigna 2014).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
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

/// Sends the malformed request of this number, and returns the bytes that came back until the connection closed.
pub(crate) fn attack(port: u16, number: u64) -> io::Result<Vec<u8>> {
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
        // A valid request follows one without a tenant, which must not get the tenant of its successor.
        10 if number % 32 == 10 => [head(""), head(&format!("X-Tenant-ID: {tenant}\r\n"))].concat(),
        10 => format!("GET / HTTP/1.1 X-Tenant-ID: {tenant}").into_bytes(),
        11 => head("X-Tenant-ID: 00000000-0000-0000-0000-000000000000\r\n"),
        12 => [&b"\x16\x03\x01\x02\x00\x01"[..], &random.bytes(500)].concat(),
        13 => {
            let mut whole = head(&format!("X-Tenant-ID: {tenant}\r\n"));
            // A byte of the id.
            let at = whole.len() - 10 - random.below(20);
            whole[at] = b"\xff\x00gG/:@`{ "[random.below(10)];
            whole
        }
        14 => return abandon(port, random),
        _ => return trickle(port, number, random),
    };
    if wants_response(number) { send(port, &bytes) } else { send_and_close(port, &bytes) }
}

/// Returns whether the malformed request of this number must get a response: it is complete or has an error, and its
/// head is not too large. A client that is still sending may see the connection close before it sees a response.
pub(crate) fn wants_response(number: u64) -> bool {
    !matches!(number % 16, 0 | 2 | 3 | 9 | 14 | 15)
}

/// Sends half a head, then closes the connection.
fn abandon(port: u16, random: &mut Random) -> io::Result<Vec<u8>> {
    let mut stream = connect(port)?;
    stream.write_all(&b"GET / HTTP/1.1\r\nX-Tenant-ID: 550e8400"[..random.below(38)])?;
    Ok(Vec::new())
}

/// Sends a head byte by byte, sometimes too slowly, and never completes it.
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
        // The device has to close the connection after its timeout, because this client does not.
        return receive(&mut stream);
    }
    // Fails if the device has closed the connection.
    let _ = stream.shutdown(Shutdown::Write);
    receive(&mut stream)
}
