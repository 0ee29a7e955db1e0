//! Starts a Postgres and a Redis server, uses both, and leaves nothing behind:
//! `cargo run -p tenancy-testkit --example two_servers --features postgres,redis,tenants`

use std::error::Error;

use tenancy_testkit::{PgServer, RedisServer, TwoTenants};

fn main() -> Result<(), Box<dyn Error>> {
    let tenants = TwoTenants::new();

    let postgres = PgServer::start()?;
    postgres.execute("postgres", "CREATE TABLE notes (tenant_id uuid NOT NULL, body text NOT NULL)")?;
    let mut client = postgres::Client::connect(&postgres.url("postgres", "postgres"), postgres::NoTls)?;
    for tenant in [&tenants.a, &tenants.b] {
        let insert = format!("INSERT INTO notes VALUES ('{}', '{}')", tenant.id(), tenant.canary("note 1"));
        client.batch_execute(&insert)?;
    }

    // The mistake that a test should find: the filter on `tenant_id` is missing.
    let rows = client.query("SELECT body FROM notes", &[])?;
    let answer_to_b: String = rows.iter().map(|row| row.get::<_, String>(0)).collect();
    println!("B's answer contains A's data: {}", tenants.a.is_in(answer_to_b.as_bytes()));

    let redis = RedisServer::start()?;
    let mut connection = redis::Client::open(redis.url())?.get_connection()?;
    let () = redis::cmd("SET").arg("greeting").arg("hello").query(&mut connection)?;
    println!("Redis answers at {}", redis.url());
    Ok(())
}
