//! Proxies between a client and a server.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// Closes the connection after this many bytes from the server.
pub(super) async fn cutting(server: SocketAddr, count: usize) -> SocketAddr {
    let mut left = count;
    proxy(server, move |bytes| {
        let passed = bytes.len().min(left);
        left -= passed;
        (passed, left > 0)
    })
    .await
}

/// Changes one byte from the server.
pub(super) async fn garbling(server: SocketAddr, index: usize) -> SocketAddr {
    let mut seen = 0;
    proxy(server, move |bytes| {
        if let Some(byte) = index.checked_sub(seen).and_then(|index| bytes.get_mut(index)) {
            *byte ^= 0x15;
        }
        seen += bytes.len();
        (bytes.len(), true)
    })
    .await
}

/// Serves one client. The function changes bytes from the server, and returns how many are passed on, and whether the
/// connection continues.
async fn proxy(
    server: SocketAddr,
    mut change: impl FnMut(&mut [u8]) -> (usize, bool) + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.expect("a client");
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) =
            TcpStream::connect(server).await.expect("the server").into_split();
        let upward = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
        let mut buffer = [0; 4096];
        if change(&mut []).1 {
            while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                let (passed, continues) = change(&mut buffer[..read]);
                if to_client.write_all(&buffer[..passed]).await.is_err() || !continues {
                    break;
                }
            }
        }
        upward.abort();
    });
    address
}

/// Decrypts and encrypts again with a certificate of its own. With `strips_binding` it also removes the offer of channel
/// binding.
#[cfg(feature = "rustls")]
pub(super) async fn man_in_the_middle(
    server: &super::Server,
    authority: &super::server::Authority,
    strips_binding: bool,
) -> SocketAddr {
    use std::sync::Arc;

    use tokio::io::copy_bidirectional;
    use tokio_rustls::TlsAcceptor;

    use super::super::super::dial::{Address, Encryption, dial};
    use super::{SslMode, Tls};

    let acceptor = TlsAcceptor::from(Arc::new(authority.server_config("db.test")));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let options = server.tcp("scram").ssl_mode(SslMode::Require);
    let behind = Address::Tcp { name: "db.test".to_owned(), address: server.address() };
    tokio::spawn(async move {
        let tls = Tls::of_options(&options).expect("TLS");
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = [0; 8];
            client.read_exact(&mut request).await.expect("a request for TLS");
            client.write_all(b"S").await.expect("an answer");
            let Ok(mut client) = acceptor.accept(client).await else {
                continue;
            };
            let mut server =
                dial(&behind, &options, Encryption::Always, &tls).await.expect("the server").stream;
            tokio::spawn(async move {
                if strips_binding {
                    // The start-up message, and the server's mechanisms.
                    let mut buffer = [0; 1024];
                    let read = client.read(&mut buffer).await.unwrap_or(0);
                    let _ = server.write_all(&buffer[..read]).await;
                    let offered = b"R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
                    let mut answer = [0; 43];
                    let _ = server.read_exact(&mut answer).await;
                    assert_eq!(&answer, offered, "the server offers channel binding");
                    let _ = client.write_all(b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0").await;
                }
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}
