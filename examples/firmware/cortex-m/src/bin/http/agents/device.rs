//! The clock and the id generator of the registry.

use core::cell::Cell;

use cortex_m::interrupt::{self, Mutex};
use tenancy_agents::{AgentId, Clock, IdGenerator, UnixMillis};

use crate::clock;
use crate::ethernet::MAC;

/// 2026-01-01T00:00:00Z. The board has no calendar clock, so its time starts here at each reset. A product would get
/// the time from the network.
const START: u64 = 1_767_225_600_000;

/// The number of ids generated since the reset.
static GENERATED: Mutex<Cell<u32>> = Mutex::new(Cell::new(0));

/// The time since the board's reset, added to [`START`].
pub(super) struct BoardClock;

/// Ids that are unique on this board.
pub(super) struct BoardIds;

impl Clock for BoardClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(START + clock::uptime_millis())
    }
}

impl IdGenerator for BoardIds {
    /// Returns an id made of the time, the board's MAC address and a counter.
    ///
    /// The board has no source of random bytes, so the ids are unique but can be guessed. Agents are protected by the
    /// check of their tenant and not by secret ids. Ids repeat after a reset, which also deletes all agents.
    fn new_id(&self) -> AgentId {
        let number = interrupt::free(|section| {
            let generated = GENERATED.borrow(section);
            generated.replace(generated.get().wrapping_add(1))
        });
        let mut bytes = [0; 10];
        let (address, counter) = bytes.split_at_mut(MAC.len());
        address.copy_from_slice(&MAC);
        counter.copy_from_slice(&number.to_be_bytes());
        AgentId::v7(BoardClock.now(), bytes)
    }
}
