//! Requests and responses as bytes on a connection.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::PATIENCE;

/// A request.
#[derive(Clone)]
pub(crate) struct Call {
    head: String,
    body: String,
}

impl Call {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { head: format!("{method} {path} HTTP/1.1\r\nHost: gateway\r\n"), body: String::new() }
    }

    /// A GET with another `Host`.
    pub(crate) fn get_of_host(path: &str, host: &str) -> Self {
        Self { head: format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n"), body: String::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        write!(self.head, "{name}: {value}\r\n").unwrap();
        self
    }

    /// Adds the token of one of the demo's principals.
    pub(crate) fn by(self, name: &str) -> Self {
        self.field("Authorization", &format!("Bearer demo-{name}"))
    }

    pub(crate) fn of(self, tenant: &str) -> Self {
        self.field("X-Tenant-ID", tenant)
    }

    pub(crate) fn json(self, body: &str) -> Self {
        self.field("Content-Type", "application/json").body(body)
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    pub(crate) fn head(&self) -> String {
        let length = match self.body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        format!("{}{length}\r\n", self.head)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        (self.head() + &self.body).into_bytes()
    }

    /// Sends the request on a new connection and returns the response.
    pub(crate) fn send(&self, address: SocketAddr) -> Answer {
        Connection::to(address).ask(self)
    }

    /// Returns the response if it is complete: the process may end before.
    pub(crate) fn try_send(&self, address: SocketAddr) -> Option<Answer> {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(&self.clone().field("Connection", "close").bytes()).ok()?;
        let mut read = String::new();
        stream.read_to_string(&mut read).ok()?;
        let (head, body) = read.split_once("\r\n\r\n")?;
        let answer = Answer { body: body.to_owned(), ..Answer::of_head(head) };
        let length = answer.field("content-length").map_or(0, |length| length.parse().unwrap());
        (body.len() == length).then_some(answer)
    }
}

/// A response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The header lines with names in lower case, without the date.
    pub(crate) fields: Vec<String>,
    pub(crate) body: String,
}

impl Answer {
    fn of_head(head: &str) -> Self {
        let mut lines = head.trim_end().lines();
        let status = lines.next().and_then(|line| line.get(9..12)).and_then(|status| status.parse().ok());
        let fields = lines.filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
        Self {
            status: status.unwrap_or_else(|| panic!("no status in {head:?}")),
            fields: fields.map(lower).collect(),
            body: String::new(),
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|field| field.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.field("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        let kind = problem["type"].as_str().expect("a type");
        kind.strip_prefix("urn:problem-type:").expect("a type of ours").to_owned()
    }
}

/// A connection, and the bytes that were read but not returned yet.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).expect("a connection"))
    }

    /// Connects with a small receive buffer.
    pub(crate) fn with_small_buffer(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            socket.connect(address).await.expect("a connection").into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        Self::new(stream)
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, read: Vec::new() }
    }

    pub(crate) fn ask(&mut self, call: &Call) -> Answer {
        self.write(&call.bytes());
        self.answer()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("written");
    }

    /// Reads more bytes; returns `false` at the end.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(length) => {
                self.read.extend_from_slice(&buffer[..length]);
                length > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            // A signal interrupted the thread; the connection is intact.
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) => panic!("{error}, after {:?}", String::from_utf8_lossy(&self.read)),
        }
    }

    /// Reads up to and including a text.
    pub(crate) fn until(&mut self, end: &str) -> String {
        // Keep-alive comments of a stream end each read early, so the whole wait needs a deadline.
        let end_of_patience = Instant::now() + PATIENCE;
        let mut searched = 0;
        loop {
            let rest = &self.read[searched..];
            if let Some(at) = rest.windows(end.len()).position(|part| part == end.as_bytes()) {
                return self.take(searched + at + end.len());
            }
            // The last bytes may be the beginning of the text.
            searched = self.read.len().saturating_sub(end.len() - 1);
            let goes_on = Instant::now() < end_of_patience && self.more();
            assert!(goes_on, "no {end:?} in {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// Reads up to the end of the connection.
    pub(crate) fn rest(&mut self) -> String {
        let end_of_patience = Instant::now() + PATIENCE;
        while self.more() {
            assert!(Instant::now() < end_of_patience, "it does not end");
        }
        self.take(self.read.len())
    }

    fn take(&mut self, length: usize) -> String {
        while self.read.len() < length {
            assert!(self.more(), "{length} bytes, of which there are {}", self.read.len());
        }
        String::from_utf8(self.read.drain(..length).collect()).expect("UTF-8")
    }

    /// Reads the head of a response, such as that of a stream.
    pub(crate) fn answer_head(&mut self) -> Answer {
        Answer::of_head(&self.until("\r\n\r\n"))
    }

    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.answer_head();
        let length = answer.field("content-length").map_or(0, |length| length.parse().unwrap());
        assert!(answer.field("transfer-encoding").is_none(), "a stream is read by `until`");
        answer.body = self.take(length);
        answer
    }
}

/// Returns the header line with its name in lower case.
fn lower(line: &str) -> String {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    format!("{}:{value}", name.to_ascii_lowercase())
}
