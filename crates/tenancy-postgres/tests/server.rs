//! The tests' own server.

mod common;

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_server_starts_and_starts_again() {
    let mut server = common::Server::start();
    let client = server.superuser().await;
    assert_eq!(client.query_one("SELECT 1", &[]).await.expect("a row").get::<_, i32>(0), 1);
    server.crash_and_restart();
    let client = server.superuser().await;
    assert_eq!(client.query_one("SELECT 2", &[]).await.expect("a row").get::<_, i32>(0), 2);
}
