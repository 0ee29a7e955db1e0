//! Two tenants share one database, and each sees only its own notes. The README shows how to prepare the database.

use std::env::var;

use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::{Config, SigningKey, TenantDb};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key: SigningKey = var("TENANCY_KEY")?.parse()?;
    let db = TenantDb::connect(Config::from_url(&var("SERVICE_URL")?, key)?).await?;
    for name in ["acme", "globex"] {
        let tenant: TenantId = var(name)?.parse()?;
        let insert = "INSERT INTO notes (title) VALUES ($1)";
        db.execute(insert, &[&format!("of {name}")]).in_tenant(tenant).await?;
        for row in db.query("SELECT tenant_id, title FROM notes", &[]).in_tenant(tenant).await? {
            println!("{name}: {}", row.get::<_, &str>("title"));
        }
    }
    Ok(())
}
