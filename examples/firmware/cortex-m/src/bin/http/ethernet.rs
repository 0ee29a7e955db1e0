//! The Ethernet controller of the LM3S6965 (data sheet, section 16), as a device of smoltcp.

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

const BASE: usize = 0x4004_8000;
const RECEIVE_CONTROL: usize = BASE + 0x08;
const TRANSMIT_CONTROL: usize = BASE + 0x0c;
const DATA: usize = BASE + 0x10;
const ADDRESS_LOW: usize = BASE + 0x14;
const ADDRESS_HIGH: usize = BASE + 0x18;
const PACKETS: usize = BASE + 0x34;
const TRANSMIT_REQUEST: usize = BASE + 0x38;

const FRAME: usize = 1514;
/// Each received frame has its length before it and its checksum after it.
const LENGTH_AND_CHECKSUM: usize = 2 + 4;
const HEADER: usize = 14;

pub(crate) struct Ethernet {
    received: [u8; FRAME],
}

fn read(register: usize) -> u32 {
    // SAFETY: a register of this board's controller, named above; reads change its own state alone.
    unsafe { (register as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: as in `read`; the controller has no DMA, so it can't write to memory.
    unsafe { (register as *mut u32).write_volatile(value) }
}

impl Ethernet {
    pub(crate) fn new([a, b, c, d, e, f]: [u8; 6]) -> Self {
        write(ADDRESS_LOW, u32::from_le_bytes([a, b, c, d]));
        write(ADDRESS_HIGH, u32::from_le_bytes([e, f, 0, 0]));
        // Checksum, padding and full duplex; then a fresh FIFO, multicast, and the receiver on.
        write(TRANSMIT_CONTROL, 0b1_0111);
        write(RECEIVE_CONTROL, 0b1_0000);
        write(RECEIVE_CONTROL, 0b0_0011);
        Self { received: [0; FRAME] }
    }

    /// Reads one frame out of the FIFO and gives its length; one that is too long is read and dropped.
    fn take_frame(&mut self) -> Option<usize> {
        if read(PACKETS) & 0x3f == 0 {
            return None;
        }
        let first = read(DATA).to_le_bytes();
        let total = usize::from(u16::from_le_bytes([first[0], first[1]]));
        let length = total.checked_sub(LENGTH_AND_CHECKSUM)?;
        let mut put = |at: usize, byte: u8| {
            if let Some(place) = self.received.get_mut(at) {
                *place = byte;
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
        // The length of what follows the header stands first; then the frame, in whole words.
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
