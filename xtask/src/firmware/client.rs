//! A client that sends arbitrary bytes to 127.0.0.1, and receives arbitrary bytes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// Longer than any timeout of the device, and than QEMU's network takes to repeat a lost packet.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Receives until the server closes the connection; returns an error if it does not.
pub(crate) fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut received = Vec::new();
    let mut buffer = [0; 2048];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(received),
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            // A reset also closes the connection.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                return Ok(received);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Sends all bytes and receives the response. The sending side stays open, because QEMU's network drops a connection
/// whose client has closed it before the device has accepted it.
pub(crate) fn send(port: u16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(port)?;
    unless_closed(stream.write_all(bytes))?;
    receive(&mut stream)
}

/// Sends all bytes, closes the sending side, and receives the response if there is one.
pub(crate) fn send_and_close(port: u16, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(port)?;
    unless_closed(stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write)))?;
    receive(&mut stream)
}

/// Ignores errors of a server that has responded and closed before it received everything.
fn unless_closed(result: io::Result<()>) -> io::Result<()> {
    use ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    match result {
        Err(error) if matches!(error.kind(), ConnectionReset | BrokenPipe | NotConnected) => Ok(()),
        result => result,
    }
}

/// Returns the status of a response.
pub(crate) fn status(response: &[u8]) -> Option<u16> {
    let line = response.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    str::from_utf8(line).ok()?.parse().ok()
}

/// Returns the value of a response header; the name must have the same case.
pub(crate) fn field<'a>(response: &'a [u8], name: &str) -> Option<&'a str> {
    let head = response.windows(4).position(|end| end == b"\r\n\r\n")?;
    let lines = str::from_utf8(response.get(..head)?).ok()?.split("\r\n");
    lines.filter_map(|line| line.split_once(": ")).find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Sends a GET request with these header lines, and returns the response.
pub(crate) fn get_response(port: u16, fields: &[u8]) -> io::Result<Vec<u8>> {
    request(port, "GET /", fields)
}

/// Sends a request such as `GET /path` with these header lines, and returns the response.
pub(crate) fn request(port: u16, line: &str, fields: &[u8]) -> io::Result<Vec<u8>> {
    send(port, &[line.as_bytes(), b" HTTP/1.1\r\nHost: device\r\n", fields, b"\r\n"].concat())
}

/// Returns the body of a response.
pub(crate) fn body(response: &[u8]) -> Option<&[u8]> {
    let head = response.windows(4).position(|end| end == b"\r\n\r\n")?;
    response.get(head + 4..)
}

/// Sends a GET request with these header lines, and returns the status of the response.
pub(crate) fn get(port: u16, fields: &[u8]) -> Result<u16> {
    status(&get_response(port, fields)?).context("no response")
}
