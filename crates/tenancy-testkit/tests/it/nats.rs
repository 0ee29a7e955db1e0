//! NATS servers.

use std::net::TcpStream;

use tenancy_testkit::NatsServer;

#[test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
fn nats_servers_answer_on_ports_of_their_own_and_end_when_they_are_dropped() {
    let (one, two) = (NatsServer::start().expect("a server"), NatsServer::start().expect("a server"));
    assert_ne!(one.address(), two.address());
    assert!(one.address().ip().is_loopback());
    assert_eq!(one.url(), format!("nats://{}", one.address()));
    assert!(TcpStream::connect(one.address()).is_ok());
    let address = one.address();
    drop(one);
    assert!(TcpStream::connect(address).is_err(), "the server did not end");
    assert!(TcpStream::connect(two.address()).is_ok());
}
