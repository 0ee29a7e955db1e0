//! The systems outside of the process, and the stores that use them.

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use tenancy::TenantRecord;
use tenancy_sqlite::TenantFiles;

use crate::agents::{self, AgentStore, Agents};
use crate::config::Config;
use crate::database::Database;
use crate::files;
use crate::notes::{CachedNotes, FileNotes, MemoryNotes, Notes, PgNotes};
use crate::shared::SharedRedis;
use crate::tenants::Tenants;

/// Connections to the systems that store data outside of the process.
#[derive(Debug, Default)]
pub struct Backends {
    /// Enforces rate limits across instances, and caches notes.
    pub redis: Option<SharedRedis>,
    /// Stores tenants, notes and agents. Instances share it.
    pub database: Option<Database>,
    /// Stores tenants, notes and agents if there is no database.
    pub files: Option<TenantFiles>,
}

impl Backends {
    /// Connects to the systems that a configuration names.
    ///
    /// # Errors
    ///
    /// If a URL or the key is invalid, if a server does not answer in time, or if the folder cannot be used.
    pub async fn connect(config: &Config) -> Result<Self> {
        let database = match config.database()? {
            Some(settings) => Some(Database::connect(settings).await?),
            None => None,
        };
        let redis = match &config.redis_url {
            Some(url) => Some(SharedRedis::connect(url, config.redis_timeout()).await?),
            None => None,
        };
        let files = config.files().map(|folder| files::open(folder, config.max_open_files)).transpose()?;
        Ok(Self { redis, database, files })
    }
}

/// The stores of tenants, agents and notes. Serving, exporting and importing use the same ones.
#[derive(Clone)]
pub struct Stores {
    /// All tenants.
    pub tenants: Arc<Tenants>,
    /// The agents of the current tenant.
    pub agents: Arc<Agents>,
    /// The notes of the current tenant.
    pub notes: Arc<dyn Notes>,
}

impl Stores {
    /// Opens the stores, and adds `tenants` that do not exist yet. With a database, `gateway migrate` adds them.
    ///
    /// # Errors
    ///
    /// If the platform's file cannot be used.
    pub fn open(config: &Config, tenants: Vec<TenantRecord>, backends: Backends) -> Result<Self> {
        let Backends { redis, database, files } = backends;
        let tenants = Arc::new(match (&database, &files) {
            (Some(database), _) => Tenants::kept_in(database),
            (None, Some(files)) => Tenants::in_files(files.clone(), &tenants)?,
            (None, None) => Tenants::new(tenants),
        });
        let agents = agents::registry(match (&database, &files) {
            (Some(database), _) => AgentStore::database(database, config.max_agents()),
            (None, Some(files)) => AgentStore::files(files.clone(), config.max_agents()),
            (None, None) => AgentStore::with_quota_in_memory(config.max_agents()),
        });
        let most = config.max_notes;
        let notes: Arc<dyn Notes> = match (database, files, redis) {
            (Some(database), _, None) => Arc::new(PgNotes::with_limit(most, &database)),
            (Some(database), _, Some(redis)) => {
                let notes = PgNotes::with_limit(most, &database);
                Arc::new(CachedNotes::of_store(database.store, notes, redis))
            }
            (None, Some(files), None) => Arc::new(FileNotes::with_limit(most, files)),
            (None, Some(files), Some(redis)) => {
                Arc::new(CachedNotes::new(FileNotes::with_limit(most, files), redis))
            }
            (None, None, None) => Arc::new(MemoryNotes::with_limit(most)),
            (None, None, Some(redis)) => Arc::new(CachedNotes::new(MemoryNotes::with_limit(most), redis)),
        };
        Ok(Self { tenants, agents, notes })
    }
}

/// Shows no data of tenants.
impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}
