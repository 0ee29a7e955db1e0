//! An HTTP server that answers each request in the tenant that its `X-Tenant-ID` names: how often the tenant came, and
//! at `/v1/agents` the tenant's agents.

#![no_std]
#![no_main]

mod agents;
mod answer;
mod clock;
mod connection;
mod ethernet;
mod json;
mod refusal;
mod request;
mod rfc3339;
mod route;
mod stack;
mod tenants;

use cortex_m::Peripherals;
use cortex_m_rt::entry;
use firmware_kit as _;
use smoltcp::iface::{Config, Interface, SocketSet, SocketStorage};
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address};

use answer::Answer;
use clock::Clock;
use connection::{Buffers, CONNECTIONS, Connection};
use ethernet::Ethernet;
use stack::Stack;
use tenants::Tenants;

// QEMU's user network: this machine is .15, the host behind .2.
const ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const GATEWAY: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);
pub(crate) const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

#[entry]
fn main() -> ! {
    static mut BUFFERS: [Buffers; CONNECTIONS] = [const { Buffers::new() }; CONNECTIONS];
    static mut ANSWER: Answer = Answer::new();

    let Some(core) = Peripherals::take() else { firmware_kit::exit(1) };
    let clock = Clock::start(core.SYST);
    if !agents::plant() {
        firmware_kit::exit(1);
    }
    let mut stack = Stack::new();
    stack.measure(smoltcp::time::Instant::ZERO);
    serve(clock, BUFFERS, ANSWER)
}

/// Not a part of `main`: what it has on the stack is not there yet while agents are registered.
#[inline(never)]
fn serve(mut clock: Clock, buffers: &'static mut [Buffers; CONNECTIONS], answer: &mut Answer) -> ! {
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
    let mut stack = Stack::new();

    defmt::info!("listening on 10.0.2.15:80");
    loop {
        interface.poll(clock.now(), &mut ethernet, &mut sockets);
        for connection in &mut connections {
            connection.serve(&mut sockets, &mut tenants, answer, clock.now());
        }
        stack.measure(clock.now());
    }
}
