//! One connection at a time on each socket: a head, an answer, a close. Each step has a deadline, so that no
//! client, slow or gone, keeps a socket from the next.

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::{Duration, Instant};

use crate::answer::{self, Answer};
use crate::request::{self, HEAD};
use crate::tenants::Tenants;

pub(crate) const CONNECTIONS: usize = 6;

const PORT: u16 = 80;
const HEAD_TIME: Duration = Duration::from_secs(3);
const CLOSE_TIME: Duration = Duration::from_secs(1);

pub(crate) struct Buffers {
    receive: [u8; HEAD],
    transmit: [u8; answer::MOST],
    head: [u8; HEAD],
}

impl Buffers {
    pub(crate) const fn new() -> Self {
        Self { receive: [0; HEAD], transmit: [0; answer::MOST], head: [0; HEAD] }
    }
}

enum Stage {
    Listening,
    /// Until then the head must be complete.
    Reading(Instant),
    /// Until then the client must have closed as well.
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

    /// Takes the connection as far as it goes now.
    pub(crate) fn serve(
        &mut self,
        sockets: &mut SocketSet<'_>,
        tenants: &mut Tenants,
        answer: &mut Answer,
        now: Instant,
    ) {
        let socket = sockets.get_mut::<Socket<'_>>(self.socket);
        match self.stage {
            Stage::Listening if !socket.is_open() => {
                // Fails for port 0 or an open socket, and it is neither.
                let _ = socket.listen(PORT);
            }
            Stage::Listening if socket.is_active() => {
                self.filled = 0;
                self.stage = Stage::Reading(now + HEAD_TIME);
            }
            Stage::Listening => {}
            Stage::Reading(deadline) => self.read(socket, tenants, answer, deadline, now),
            Stage::Closing(deadline) => {
                // What still comes is read and dropped, or the client would see a reset before the answer.
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
        answer: &mut Answer,
        deadline: Instant,
        now: Instant,
    ) {
        let room = &mut self.head[self.filled..];
        if let Ok(more) = socket.recv_slice(room) {
            self.filled += more;
            if more > 0 && request::answer(&self.head[..self.filled], tenants, since_start(now), answer) {
                // All of it fits into the buffer.
                let _ = socket.send_slice(answer.head.as_bytes());
                let _ = socket.send_slice(answer.body.as_bytes());
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
        self.stage = Stage::Closing(now + CLOSE_TIME);
    }
}

fn since_start(now: Instant) -> core::time::Duration {
    (now - Instant::ZERO).into()
}
