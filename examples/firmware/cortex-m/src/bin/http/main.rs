//! An HTTP server that answers each request in the tenant that its `X-Tenant-ID` names.

#![no_std]
#![no_main]

mod connection;
mod ethernet;
mod request;
mod tenants;

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m::Peripherals;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::{entry, exception};
use firmware_kit as _;
use smoltcp::iface::{Config, Interface, SocketSet, SocketStorage};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address};

use connection::{CONNECTIONS, Connection};
use ethernet::Ethernet;
use tenants::Tenants;

// QEMU's user network: this machine is .15, the host behind .2.
const ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const GATEWAY: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);
const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

static MILLISECONDS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    MILLISECONDS.store(MILLISECONDS.load(Relaxed).wrapping_add(1), Relaxed);
}

fn now() -> Instant {
    Instant::from_millis(i64::from(MILLISECONDS.load(Relaxed)))
}

#[entry]
fn main() -> ! {
    let Some(mut core) = Peripherals::take() else { firmware_kit::exit(1) };
    core.SYST.set_clock_source(SystClkSource::Core);
    // 12 MHz.
    core.SYST.set_reload(12_000 - 1);
    core.SYST.clear_current();
    core.SYST.enable_interrupt();
    core.SYST.enable_counter();

    let mut ethernet = Ethernet::new(MAC);
    let mut interface = Interface::new(Config::new(EthernetAddress(MAC).into()), &mut ethernet, now());
    // One address and one route fit into the interface's fixed memory.
    interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(IpCidr::new(ADDRESS.into(), 24));
    });
    let _ = interface.routes_mut().add_default_ipv4_route(GATEWAY);

    let mut storage = [const { connection::Buffers::new() }; CONNECTIONS];
    let mut entries = [SocketStorage::EMPTY; CONNECTIONS];
    let mut sockets = SocketSet::new(&mut entries[..]);
    let mut connections = storage.each_mut().map(|buffers| Connection::new(buffers, &mut sockets));
    let mut tenants = Tenants::new();

    defmt::info!("listening on 10.0.2.15:80");
    loop {
        interface.poll(now(), &mut ethernet, &mut sockets);
        for connection in &mut connections {
            connection.serve(&mut sockets, &mut tenants, now());
        }
    }
}
