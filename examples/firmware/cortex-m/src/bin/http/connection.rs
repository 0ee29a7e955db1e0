//! A TCP socket and its current connection.
//!
//! A connection carries one request and one response. Each step has a deadline, so that a slow or vanished client
//! cannot occupy a socket.

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::{Duration, Instant};

use crate::request::{self, HEAD};
use crate::response::{self, Response};
use crate::tenants::Tenants;

pub(crate) const CONNECTIONS: usize = 6;

const PORT: u16 = 80;
const HEAD_TIMEOUT: Duration = Duration::from_secs(3);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct Buffers {
    receive: [u8; HEAD],
    transmit: [u8; response::MAX_LEN],
    head: [u8; HEAD],
}

impl Buffers {
    pub(crate) const fn new() -> Self {
        Self { receive: [0; HEAD], transmit: [0; response::MAX_LEN], head: [0; HEAD] }
    }
}

enum Stage {
    Listening,
    /// The request head must be complete before the deadline.
    Reading(Instant),
    /// The client must close the connection before the deadline.
    Closing(Instant),
}

pub(crate) struct Connection<'b> {
    socket: SocketHandle,
    head: &'b mut [u8; HEAD],
    filled: usize,
    stage: Stage,
}

impl<'b> Connection<'b> {
    pub(crate) fn new(buffers: &'b mut Buffers, sockets: &mut SocketSet<'b>) -> Self {
        let socket = Socket::new(
            SocketBuffer::new(&mut buffers.receive[..]),
            SocketBuffer::new(&mut buffers.transmit[..]),
        );
        Self { socket: sockets.add(socket), head: &mut buffers.head, filled: 0, stage: Stage::Listening }
    }

    /// Performs all steps that are possible without waiting.
    pub(crate) fn serve(
        &mut self,
        sockets: &mut SocketSet<'_>,
        tenants: &mut Tenants,
        response: &mut Response,
        now: Instant,
    ) {
        let socket = sockets.get_mut::<Socket<'_>>(self.socket);
        match self.stage {
            Stage::Listening if !socket.is_open() => {
                // The call cannot fail: the port is not 0 and the socket is not open.
                let _ = socket.listen(PORT);
            }
            Stage::Listening if socket.is_active() => {
                self.filled = 0;
                self.stage = Stage::Reading(now + HEAD_TIMEOUT);
            }
            Stage::Listening => {}
            Stage::Reading(deadline) => self.read(socket, tenants, response, deadline, now),
            Stage::Closing(deadline) => {
                // Unread bytes would cause a reset, which the client could see before the response.
                let _ = socket.recv(|rest| (rest.len(), ()));
                if !socket.is_open() || now > deadline {
                    socket.abort();
                    self.stage = Stage::Listening;
                }
            }
        }
    }

    fn read(
        &mut self,
        socket: &mut Socket<'_>,
        tenants: &mut Tenants,
        response: &mut Response,
        deadline: Instant,
        now: Instant,
    ) {
        let free = &mut self.head[self.filled..];
        if let Ok(received) = socket.recv_slice(free) {
            self.filled += received;
            let head = &self.head[..self.filled];
            if received > 0 && request::respond(head, tenants, uptime(now), response) {
                // The transmit buffer has room for the longest response.
                let _ = socket.send_slice(response.head.as_bytes());
                let _ = socket.send_slice(response.body.as_bytes());
                self.close(socket, now);
                return;
            }
        }
        if !socket.may_recv() && socket.state() != smoltcp::socket::tcp::State::SynReceived || now > deadline
        {
            self.close(socket, now);
        }
    }

    fn close(&mut self, socket: &mut Socket<'_>, now: Instant) {
        socket.close();
        self.stage = Stage::Closing(now + CLOSE_TIMEOUT);
    }
}

fn uptime(now: Instant) -> core::time::Duration {
    (now - Instant::ZERO).into()
}
