//! A client that says any bytes to 127.0.0.1, and hears whatever comes back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// Longer than any deadline of the device, and than it takes QEMU's network to say a lost packet again.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What comes until the other side closes; an error where it does not.
pub(crate) fn hear(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut heard = Vec::new();
    let mut buffer = [0; 2048];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(heard),
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
            // A reset is a close too.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                return Ok(heard);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Says all of it, and hears the answer. Its own side stays open: QEMU's network drops a connection whose client
/// has closed before the device has accepted, which on a busy machine is late.
pub(crate) fn say(port: u16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(port)?;
    unless_closed(stream.write_all(bytes))?;
    hear(&mut stream)
}

/// Says all of it, closes its own side, and hears the answer, if there is one.
pub(crate) fn say_and_close(port: u16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(port)?;
    unless_closed(stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write)))?;
    hear(&mut stream)
}

/// The other side may have answered and closed before the end.
fn unless_closed(result: io::Result<()>) -> io::Result<()> {
    use ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    match result {
        Err(error) if matches!(error.kind(), ConnectionReset | BrokenPipe | NotConnected) => Ok(()),
        result => result,
    }
}

/// The status of an answer.
pub(crate) fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    str::from_utf8(line).ok()?.parse().ok()
}

/// The value of an answer's header field, by the name's usual spelling.
pub(crate) fn field<'a>(answer: &'a [u8], name: &str) -> Option<&'a str> {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n")?;
    let lines = str::from_utf8(answer.get(..head)?).ok()?.split("\r\n");
    lines.filter_map(|line| line.split_once(": ")).find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// The answer to a GET with these header lines.
pub(crate) fn ask(port: u16, fields: &[u8]) -> io::Result<Vec<u8>> {
    request(port, "GET /", fields)
}

/// The answer to a request, `GET /path`, with these header lines.
pub(crate) fn request(port: u16, line: &str, fields: &[u8]) -> io::Result<Vec<u8>> {
    say(port, &[line.as_bytes(), b" HTTP/1.1\r\nHost: device\r\n", fields, b"\r\n"].concat())
}

/// What stands behind an answer's head.
pub(crate) fn body(answer: &[u8]) -> Option<&[u8]> {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n")?;
    answer.get(head + 4..)
}

/// The status of the same.
pub(crate) fn get(port: u16, fields: &[u8]) -> Result<u16> {
    status(&ask(port, fields)?).context("no answer")
}
