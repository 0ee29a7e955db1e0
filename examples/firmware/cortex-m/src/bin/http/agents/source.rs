//! The device's time and ids.

use core::cell::Cell;

use cortex_m::interrupt::{self, Mutex};
use tenancy_agents::{AgentId, Source, UnixMillis};

use crate::{MAC, clock};

/// 2026-01-01T00:00:00Z. The board has no calendar: its time begins here at each start. A product asks the network.
const START: u64 = 1_767_225_600_000;

static MADE: Mutex<Cell<u32>> = Mutex::new(Cell::new(0));

/// This board.
pub(super) struct Device;

impl Source for Device {
    fn now(&self) -> UnixMillis {
        UnixMillis(START + clock::since_start())
    }

    /// Where others have random bytes, the board, which has no source of them, has its address and a number. So ids are
    /// told apart and grow, and anybody can guess them: what protects an agent is the check of its tenant, and never
    /// that its id is not known. After a reset they come again, and the agents do too: memory forgets both.
    fn new_id(&self) -> AgentId {
        let number = interrupt::free(|section| {
            let made = MADE.borrow(section);
            made.replace(made.get().wrapping_add(1))
        });
        let mut bytes = [0; 10];
        let (address, end) = bytes.split_at_mut(MAC.len());
        address.copy_from_slice(&MAC);
        end.copy_from_slice(&number.to_be_bytes());
        AgentId::v7(self.now(), bytes)
    }
}
