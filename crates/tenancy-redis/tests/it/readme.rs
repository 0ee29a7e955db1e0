//! The program in the README, compared with one without tenants.

use std::error::Error;

use redis::AsyncCommands;
use tenancy::TenantFutureExt;

use crate::support::{A, PREFIX_A, Server};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[rustfmt::skip]
async fn with_tenants(client: redis::Client) -> Result<(Vec<String>, String, u64)> {
    // with tenants
    let shared = client.get_multiplexed_async_connection().await?;
    let mut redis = tenancy_redis::TenantRedis::current(shared)?;

    let () = redis.set("greeting", "hello").await?;
    let keys: Vec<String> = redis.keys("*").await?;
    let (greeting, visits): (String, u64) =
        redis::pipe().atomic().get("greeting").incr("visits", 1).query_async(&mut redis).await?;
    // end
    Ok((keys, greeting, visits))
}

#[rustfmt::skip]
async fn without(client: redis::Client) -> Result<(Vec<String>, String, u64)> {
    // without
    let shared = client.get_multiplexed_async_connection().await?;
    let mut redis = shared;

    let () = redis.set("greeting", "hello").await?;
    let keys: Vec<String> = redis.keys("*").await?;
    let (greeting, visits): (String, u64) =
        redis::pipe().atomic().get("greeting").incr("visits", 1).query_async(&mut redis).await?;
    // end
    Ok((keys, greeting, visits))
}

/// Returns the lines of this file between a mark and `end`.
fn program(mark: &str) -> Vec<&'static str> {
    let lines = include_str!("readme.rs").lines().map(str::trim);
    let program = lines.skip_while(|line| line.strip_prefix("// ") != Some(mark)).skip(1);
    program.take_while(|line| *line != "// end").filter(|line| !line.is_empty()).collect()
}

#[test]
fn readme_shows_this_program_and_one_line_differs() {
    let (with, without) = (program("with tenants"), program("without"));
    assert_eq!(with.len(), without.len());
    let differ: Vec<_> = with.iter().zip(&without).filter(|(with, without)| with != without).collect();
    assert_eq!(
        differ,
        [(&"let mut redis = tenancy_redis::TenantRedis::current(shared)?;", &"let mut redis = shared;")]
    );
    // In the README a comment may follow a line.
    let shown: Vec<_> = include_str!("../../README.md").lines().map(str::trim).collect();
    for line in with {
        assert!(shown.iter().any(|shown| shown.starts_with(line)), "not in the README: {line}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn readme_program_runs() -> Result<()> {
    let server = Server::start();
    for (rounds, resp) in [(1, 2), (2, 3)] {
        let given = with_tenants(server.client(resp)).in_tenant(A).await?;
        let keys = if rounds == 1 { 1 } else { 2 };
        assert_eq!((given.0.len(), &*given.1, given.2), (keys, "hello", rounds));
    }
    assert_eq!(server.keys(), ["greeting", "visits"].map(|key| format!("{PREFIX_A}{key}").into_bytes()));
    let error = with_tenants(server.client(2)).await.expect_err("no tenant");
    assert!(error.is::<tenancy::TenantContextNotSetError>());
    let () = redis::cmd("FLUSHALL").query(&mut server.raw())?;
    assert_eq!(without(server.client(2)).await?, (vec!["greeting".to_owned()], "hello".to_owned(), 1));
    Ok(())
}
