//! A proxy between a client and the server that spoils one message.
//!
//! It splits both directions into messages, and knows the part of a transaction that each of them belongs to.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::database::Database;

const SOCKET: &str = ".s.PGSQL.5432";

/// The name of the prepared statement that enters a tenant.
const ENTER: &str = "tenancy_enter";

/// The sender of a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Side {
    Backend,
    Frontend,
}

/// The part of a transaction that a message belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Phase {
    Enter,
    Statement,
    Scrub,
    /// `COMMIT` or `ROLLBACK`.
    End,
}

/// A kind of message in a phase: its sender, its type byte and the phase.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Label {
    pub(crate) side: Side,
    pub(crate) kind: u8,
    pub(crate) phase: Phase,
}

impl Label {
    /// The name of the message in the documentation of Postgres.
    pub(crate) fn name(self) -> &'static str {
        match (self.side, self.kind) {
            (Side::Backend, b'1') => "ParseComplete",
            (Side::Backend, b'2') => "BindComplete",
            (Side::Backend, b'3') => "CloseComplete",
            (Side::Backend, b'T') => "RowDescription",
            (Side::Backend, b'D') => "DataRow",
            (Side::Backend, b'C') => "CommandComplete",
            (Side::Backend, b'n') => "NoData",
            (Side::Backend, b'Z') => "ReadyForQuery",
            (Side::Backend, b'E') => "ErrorResponse",
            (Side::Backend, b'N') => "NoticeResponse",
            (Side::Backend, b't') => "ParameterDescription",
            (Side::Frontend, b'P') => "Parse",
            (Side::Frontend, b'B') => "Bind",
            (Side::Frontend, b'D') => "Describe",
            (Side::Frontend, b'E') => "Execute",
            (Side::Frontend, b'S') => "Sync",
            (Side::Frontend, b'C') => "Close",
            _ => "another message",
        }
    }
}

/// What happens to a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Fault {
    /// The connection ends before the message.
    CutBefore,
    /// The connection ends in the middle of the message.
    CutInside,
    /// The connection ends after the message.
    CutAfter,
    /// The message arrives 1 to 20 ms later.
    Delay,
    /// The message arrives twice.
    Duplicate,
    /// One to three bits of the type, the length or the body are flipped.
    Garble,
    /// The message does not arrive.
    Drop,
}

impl Fault {
    pub(crate) const ALL: [Self; 7] = [
        Self::CutBefore,
        Self::CutInside,
        Self::CutAfter,
        Self::Delay,
        Self::Duplicate,
        Self::Garble,
        Self::Drop,
    ];
}

/// A fault that is to be injected.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) label: Label,
    /// The number of messages with this label that pass before the one that is spoiled.
    pub(crate) passes: usize,
    pub(crate) fault: Fault,
    pub(crate) rng: Rng,
}

#[derive(Debug, Default)]
struct State {
    plan: Option<Plan>,
    /// How often each label was seen since the last call of `arm`.
    seen: BTreeMap<Label, usize>,
}

impl State {
    /// Returns the plan if this is the message that it spoils.
    fn meet(&mut self, label: Label) -> Option<Plan> {
        *self.seen.entry(label).or_default() += 1;
        let plan = self.plan.as_mut().filter(|plan| plan.label == label)?;
        if plan.passes > 0 {
            plan.passes -= 1;
            return None;
        }
        self.plan.take()
    }
}

#[derive(Debug)]
pub(crate) struct FaultProxy {
    folder: TempDir,
    database: String,
    state: Arc<Mutex<State>>,
    cut: watch::Sender<()>,
}

impl FaultProxy {
    pub(crate) fn start(database: &Database) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join(SOCKET)).expect("a socket");
        let state = Arc::default();
        let (cut, _) = watch::channel(());
        tokio::spawn(accept(listener, database.folder().join(SOCKET), Arc::clone(&state), cut.clone()));
        Self { folder, database: database.name.clone(), state, cut }
    }

    pub(crate) fn config(&self, user: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.folder.path()).user(user).dbname(&self.database);
        config
    }

    /// Spoils the next message that the plan names.
    pub(crate) fn arm(&self, plan: Option<Plan>) {
        *self.state.lock().expect("no panic") = State { plan, seen: BTreeMap::new() };
    }

    /// Forgets the plan. Returns whether the fault was injected, and the messages since `arm`.
    pub(crate) fn disarm(&self) -> (bool, BTreeMap<Label, usize>) {
        let state = std::mem::take(&mut *self.state.lock().expect("no panic"));
        (state.plan.is_none(), state.seen)
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(());
    }
}

async fn accept(listener: UnixListener, server: PathBuf, state: Arc<Mutex<State>>, cut: watch::Sender<()>) {
    while let Ok((client, _)) = listener.accept().await {
        let (server, state, mut cut) = (server.clone(), Arc::clone(&state), cut.subscribe());
        tokio::spawn(async move {
            let server = UnixStream::connect(server).await.expect("the server");
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let track = Mutex::default();
            // Both sockets are closed as soon as one direction ends.
            tokio::select! {
                () = requests(from_client, to_server, &state, &track) => {}
                () = replies(from_server, to_client, &state, &track) => {}
                _ = cut.changed() => {}
            }
        });
    }
}

/// Follows the pipeline of one connection.
#[derive(Default)]
struct Track {
    is_started: bool,
    phase: Option<Phase>,
    /// The requests without a reply: the type byte and the phase.
    waiting: VecDeque<(u8, Phase)>,
}

impl Track {
    /// Returns the phase of a request.
    fn request(&mut self, kind: u8, body: &[u8]) -> Phase {
        let mut texts = body.split(|byte| *byte == 0);
        let (first, second) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
        let before = self.phase.unwrap_or(Phase::Statement);
        let phase = match kind {
            b'P' if second.starts_with(b"BEGIN") || first == ENTER.as_bytes() => Phase::Enter,
            b'P' if second.is_empty() && before == Phase::Scrub => Phase::Scrub,
            b'P' if second.is_empty() => Phase::Enter,
            b'P' if second == b"CLOSE ALL" => Phase::Scrub,
            b'P' if second == b"COMMIT" || second == b"ROLLBACK" => Phase::End,
            b'P' | b'C' => Phase::Statement,
            b'B' if second == ENTER.as_bytes() => Phase::Enter,
            b'B' if !second.is_empty() => Phase::Statement,
            _ => before,
        };
        // A pipeline without `BEGIN` begins with a statement.
        self.phase = (kind != b'S').then_some(phase);
        self.waiting.push_back((kind, phase));
        phase
    }

    /// Returns the phase of a reply.
    fn reply(&mut self, kind: u8) -> Phase {
        let phase = self.waiting.front().map_or(Phase::Statement, |(_, phase)| *phase);
        match kind {
            b'E' => {
                while self.waiting.front().is_some_and(|(kind, _)| *kind != b'S') {
                    self.waiting.pop_front();
                }
            }
            b'1' | b'2' | b'3' | b'T' | b'n' | b'C' | b'I' | b's' | b'Z' => drop(self.waiting.pop_front()),
            _ => {}
        }
        phase
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &Mutex<State>,
    track: &Mutex<Track>,
) {
    // Messages before the session is ready have other formats. The client waits for the server then.
    let mut buffer = Vec::new();
    loop {
        if !matches!(from.read_buf(&mut buffer).await, Ok(1..)) {
            return;
        }
        if track.lock().expect("no panic").is_started {
            let label = |kind, body: &[u8]| {
                let phase = track.lock().expect("no panic").request(kind, body);
                Some(Label { side: Side::Frontend, kind, phase })
            };
            if !forward(&mut buffer, &mut to, state, label).await {
                return;
            }
        } else if to.write_all(&std::mem::take(&mut buffer)).await.is_err() {
            return;
        }
    }
}

async fn replies(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &Mutex<State>,
    track: &Mutex<Track>,
) {
    let mut buffer = Vec::new();
    while let Ok(1..) = from.read_buf(&mut buffer).await {
        let label = |kind, _: &[u8]| {
            let mut track = track.lock().expect("no panic");
            if track.is_started {
                return Some(Label { side: Side::Backend, kind, phase: track.reply(kind) });
            }
            track.is_started = kind == b'Z';
            None
        };
        if !forward(&mut buffer, &mut to, state, label).await {
            return;
        }
    }
}

/// Forwards all complete messages. Returns whether the connection goes on.
async fn forward(
    buffer: &mut Vec<u8>,
    to: &mut OwnedWriteHalf,
    state: &Mutex<State>,
    label: impl Fn(u8, &[u8]) -> Option<Label>,
) -> bool {
    let mut out = Vec::new();
    while let Some(length) = buffer.get(1..5) {
        let length = u32::from_be_bytes(length.try_into().expect("4 bytes")) as usize + 1;
        if buffer.len() < length {
            break;
        }
        let mut message: Vec<u8> = buffer.drain(..length).collect();
        let label = label(message[0], &message[5..]);
        let plan = label.and_then(|label| state.lock().expect("no panic").meet(label));
        let Some(Plan { label, fault, mut rng, .. }) = plan else {
            out.extend(message);
            continue;
        };
        match fault {
            Fault::CutBefore => {}
            Fault::CutInside => out.extend(&message[..rng.usize(1..length)]),
            Fault::CutAfter => out.extend(&message),
            Fault::Delay => {
                if to.write_all(&std::mem::take(&mut out)).await.is_err() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(rng.u64(1..=20))).await;
                out.extend(message);
                continue;
            }
            Fault::Duplicate => {
                out.extend(&message);
                out.extend(message);
                continue;
            }
            Fault::Garble => {
                garble(&mut message, label, &mut rng);
                out.extend(message);
                continue;
            }
            Fault::Drop => continue,
        }
        let _ = to.write_all(&out).await;
        return false;
    }
    to.write_all(&out).await.is_ok()
}

/// Flips one to three bits of the type, of the length or of the body.
///
/// A body that the client sends is garbled only if it has no values: otherwise the server would be asked for another
/// statement, or would store another value, which no client can notice.
fn garble(message: &mut [u8], label: Label, rng: &mut Rng) {
    let has_body =
        message.len() > 5 && (label.side == Side::Backend || matches!(label.kind, b'E' | b'D' | b'S'));
    let place = match rng.u8(..if has_body { 3 } else { 2 }) {
        0 => 0..1,
        1 => 1..5,
        _ => 5..message.len(),
    };
    let bits = 8 * place.len();
    // Different bits, so that at least one of them changes.
    let first = rng.usize(..bits);
    for number in 0..rng.usize(1..=3) {
        let bit = (first + number * (1 + rng.usize(..7))) % bits;
        if number == 0 || bit != first {
            message[place.start + bit / 8] ^= 1 << (bit % 8);
        }
    }
}
