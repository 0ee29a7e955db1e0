//! An HTTP server that serves each request in the context of its tenant, which `X-Tenant-ID` or a signed token names.
//!
//! `/v1/agents` serves the tenant's agents. Every other path returns the number of the tenant's requests.

#![no_std]
#![no_main]

mod agents;
mod clock;
mod connection;
mod ethernet;
mod rejection;
mod request;
mod response;
mod route;
mod stack;
mod tenants;
mod token;

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use firmware_kit as _;
use smoltcp::iface::{Config, Interface, SocketSet, SocketStorage};
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address};

use clock::Clock;
use connection::{Buffers, CONNECTIONS, Connection};
use ethernet::{Ethernet, MAC};
use response::Response;
use stack::StackMonitor;
use tenants::Tenants;

// The addresses of the device and of its gateway in QEMU's user network.
const ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const GATEWAY: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);

#[entry]
fn main() -> ! {
    static mut BUFFERS: [Buffers; CONNECTIONS] = [const { Buffers::new() }; CONNECTIONS];
    static mut RESPONSE: Response = Response::new();

    let Some(core) = Peripherals::take() else { firmware_kit::exit(1) };
    let clock = Clock::start(core.SYST);
    if !agents::register_all() {
        firmware_kit::exit(1);
    }
    let mut stack = StackMonitor::new();
    stack.measure(smoltcp::time::Instant::ZERO);
    serve(clock, BUFFERS, RESPONSE)
}

/// Runs the server. The function is not inlined, so that its variables are not on the stack while agents are registered.
#[inline(never)]
fn serve(mut clock: Clock, buffers: &'static mut [Buffers; CONNECTIONS], response: &mut Response) -> ! {
    let mut ethernet = Ethernet::new(MAC);
    let config = Config::new(EthernetAddress(MAC).into());
    let mut interface = Interface::new(config, &mut ethernet, clock.now());
    // One address and one route fit into the interface's fixed memory.
    interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(IpCidr::new(ADDRESS.into(), 24));
    });
    let _ = interface.routes_mut().add_default_ipv4_route(GATEWAY);

    let mut entries = [SocketStorage::EMPTY; CONNECTIONS];
    let mut sockets = SocketSet::new(&mut entries[..]);
    let mut connections = buffers.each_mut().map(|buffers| Connection::new(buffers, &mut sockets));
    let mut tenants = Tenants::new();
    let mut stack = StackMonitor::new();

    defmt::info!("listening on 10.0.2.15:80");
    loop {
        interface.poll(clock.now(), &mut ethernet, &mut sockets);
        for connection in &mut connections {
            connection.serve(&mut sockets, &mut tenants, response, clock.now());
        }
        stack.measure(clock.now());
    }
}
