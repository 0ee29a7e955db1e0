//! A smoltcp driver for the Ethernet controller of the LM3S6965 (data sheet, section 16).

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

/// The MAC address of this board.
pub(crate) const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

const BASE: usize = 0x4004_8000;
const RECEIVE_CONTROL: usize = BASE + 0x08;
const TRANSMIT_CONTROL: usize = BASE + 0x0c;
const DATA: usize = BASE + 0x10;
const ADDRESS_LOW: usize = BASE + 0x14;
const ADDRESS_HIGH: usize = BASE + 0x18;
const PACKETS: usize = BASE + 0x34;
const TRANSMIT_REQUEST: usize = BASE + 0x38;

const FRAME: usize = 1514;
/// The controller adds the length before a received frame and its checksum after it.
const LENGTH_AND_CHECKSUM: usize = 2 + 4;
const HEADER: usize = 14;

pub(crate) struct Ethernet {
    received: [u8; FRAME],
}

fn read(register: usize) -> u32 {
    // SAFETY: only called with the registers above. Reading them changes the state of the controller only.
    unsafe { (register as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: only called with the registers above. The controller has no DMA, so it cannot write to memory.
    unsafe { (register as *mut u32).write_volatile(value) }
}

impl Ethernet {
    pub(crate) fn new([a, b, c, d, e, f]: [u8; 6]) -> Self {
        write(ADDRESS_LOW, u32::from_le_bytes([a, b, c, d]));
        write(ADDRESS_HIGH, u32::from_le_bytes([e, f, 0, 0]));
        // Enable checksums, padding and full duplex; reset the receive FIFO; enable multicast and the receiver.
        write(TRANSMIT_CONTROL, 0b1_0111);
        write(RECEIVE_CONTROL, 0b1_0000);
        write(RECEIVE_CONTROL, 0b0_0011);
        Self { received: [0; FRAME] }
    }

    /// Reads one frame from the FIFO and returns its length. A frame that is too long is read and dropped.
    fn take_frame(&mut self) -> Option<usize> {
        if read(PACKETS) & 0x3f == 0 {
            return None;
        }
        let first = read(DATA).to_le_bytes();
        let total = usize::from(u16::from_le_bytes([first[0], first[1]]));
        let length = total.checked_sub(LENGTH_AND_CHECKSUM)?;
        let mut put = |at: usize, byte: u8| {
            if let Some(slot) = self.received.get_mut(at) {
                *slot = byte;
            }
        };
        put(0, first[2]);
        put(1, first[3]);
        for word in 1..total.div_ceil(4) {
            for (at, byte) in read(DATA).to_le_bytes().into_iter().enumerate() {
                put(word * 4 - 2 + at, byte);
            }
        }
        (length <= FRAME).then_some(length)
    }
}

impl Device for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Transmit;

    fn receive(&mut self, _now: Instant) -> Option<(Received<'_>, Transmit)> {
        let length = self.take_frame()?;
        self.received.get(..length).map(|frame| (Received(frame), Transmit))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Transmit> {
        Some(Transmit)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}

pub(crate) struct Received<'a>(&'a [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

pub(crate) struct Transmit;

impl TxToken for Transmit {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        // The controller expects the length of the payload, then the frame, in whole words.
        let mut words = [0; 2 + FRAME + 2];
        let length = length.min(FRAME);
        let [low, high] = (length.saturating_sub(HEADER) as u16).to_le_bytes();
        words[0] = low;
        words[1] = high;
        let result = fill(&mut words[2..2 + length]);
        while read(TRANSMIT_REQUEST) & 1 == 1 {}
        for word in words[..(2 + length).next_multiple_of(4)].as_chunks().0 {
            write(DATA, u32::from_le_bytes(*word));
        }
        write(TRANSMIT_REQUEST, 1);
        result
    }
}
