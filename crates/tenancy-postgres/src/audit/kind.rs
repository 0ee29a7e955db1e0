//! What can be wrong.

use std::fmt;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident: $text:literal,)+) => {
        /// What can be wrong.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum FindingKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl FindingKind {
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$kind,)+];
        }

        impl fmt::Display for FindingKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$kind => $text,)+
                })
            }
        }
    };
}

kinds! {
    /// The user is a superuser, or a member of one: no policy holds it.
    Superuser: "a role of the user's is a superuser",
    /// The user has `BYPASSRLS`, or is a member of a role that has.
    BypassRls: "a role of the user's bypasses row-level security",
    /// A role of the user's replicates, makes roles, or reaches the server's files or programs.
    PowerfulRole: "a role of the user's has more power than a service needs",
    /// The user may read or write the server's files, or steer the server, by a function.
    PowerfulFunction: "a function is granted that reaches the server itself",
    /// The user may read a catalog that holds values of rows, or passwords.
    CatalogGranted: "a catalog that holds values of rows or secrets is granted",
    /// A role of the user's owns the table, schema, view, function, type or operator: it may change the policies, or
    /// what others' statements run.
    Owner: "a role of the user's owns it",
    /// The user can read or write the keys.
    KeysGranted: "a role of the user's has a grant on the keys",
    /// A function of the schema `tenancy` is missing, is not as the migrations have it, or is granted beyond them.
    ContextAltered: "the context is not as the migrations have it",
    /// A table with `tenant_id` has no row-level security.
    RlsDisabled: "row-level security is not enabled",
    /// The table's owner, and with it each view of its own, passes by the policies.
    RlsNotForced: "row-level security is not forced",
    /// The table's restrictive policy is missing, or does not read as emitted: it may be forgeable, or not check what
    /// is written.
    PolicyAltered: "the policy tenancy_isolation is missing or does not read as emitted",
    /// A policy trusts a setting, which any SQL sets.
    PolicyForgeable: "a policy trusts what any SQL can set",
    /// A row can have no tenant.
    NullableTenantId: "tenant_id can be NULL",
    /// A row that names no tenant gets none.
    DefaultMissing: "tenant_id does not default to tenancy.tenant_id()",
    /// A view reads a tenants' table as its owner, who bypasses row-level security.
    View: "a view reads tenants' rows as an owner who bypasses row-level security",
    /// A rule on a table runs as the table's owner.
    Rule: "a rule runs as its table's owner",
    /// A function runs as its owner, who bypasses row-level security, or owns tenants' tables.
    SecurityDefiner: "a function runs as an owner who bypasses row-level security or may turn it off",
    /// A materialized view holds rows of all tenants, and has no row-level security.
    MaterializedView: "a materialized view holds tenants' rows without row-level security",
    /// A foreign table has no row-level security here.
    ForeignTable: "a foreign table has no row-level security",
    /// A partition can be reached beside its table.
    PartitionGranted: "a partition is granted beside its table",
    /// A table without `tenant_id` can be reached: nobody enabled it, or what one tenant writes, another reads.
    NoTenantId: "a table without tenant_id can be reached, and is not shared to be read",
    /// A unique key does not have `tenant_id`: it tells that another tenant's row exists.
    UniqueWithoutTenant: "a unique key without tenant_id tells of other tenants' rows",
    /// An index does not begin with `tenant_id`: the server's counters tell what it finds, before the policy hides it.
    IndexWithoutTenant: "an index that does not begin with tenant_id tells of other tenants' rows by counters",
    /// A foreign key does not have `tenant_id`: it tells that another tenant's row exists, and hangs on it.
    ForeignKeyWithoutTenant: "a foreign key without tenant_id reaches other tenants' rows",
    /// The user may `TRUNCATE` the table, which no policy holds.
    TruncateGranted: "TRUNCATE is granted, and knows no tenant",
    /// The user has `REFERENCES` or `TRIGGER` of the table.
    ExcessGrant: "REFERENCES or TRIGGER is granted",
    /// The user may make objects in a schema or schemas in the database, which others' statements would use.
    CreateGranted: "CREATE is granted",
    /// The user may make temporary tables, which the next tenant of a connection would find.
    TempGranted: "TEMPORARY is granted",
    /// The user may make large objects, which have no tenant.
    LargeObjects: "large objects have no tenant, and can be made",
    /// Settings are kept for a role of the user's: a service that changes its own leaves them to other tenants.
    RoleSettings: "settings are kept for a role of the user's",
    /// `pg_stat_activity` shows the user's other sessions, with the texts of their statements.
    ActivityVisible: "a tenant can read the statements of other tenants' sessions",
    /// The server has a known fault that passes by row-level security.
    ServerVersion: "the server has a known fault of row-level security",
}
