//! The kinds of findings.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident: $text:literal,)+) => {
        /// What is wrong.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum FindingKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl FindingKind {
            /// All kinds, in the order of the enum.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// Returns the name of the variant, for example `RlsDisabled`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => stringify!($kind),)+
                }
            }
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
    /// The role is a superuser or a member of one. No policy applies to it.
    Superuser: "the role is a superuser or a member of one",
    /// The role has `BYPASSRLS`, or is a member of a role that has it.
    BypassRls: "the role bypasses row-level security or is a member of a role that does",
    /// The role replicates, creates roles, or reads all data, files or statistics of the server.
    PowerfulRole: "the role has more power than a service needs",
    /// The role may grant another role, so that other logins get its privileges.
    AdminOption: "the role can grant this role to others",
    /// The role may change a setting that is reserved to superusers.
    ParameterGranted: "the role can change a setting that is reserved to superusers",
    /// The role may call a function that reads or writes files, raw pages, or the server's state.
    PowerfulFunction: "the role can call a function that reaches the server or its storage",
    /// The role may read a catalog that contains values of rows, or passwords.
    CatalogGranted: "the role can read a catalog with values of rows or secrets",
    /// The role owns the object, so it can change policies, or code that runs in statements of others.
    Owner: "the role owns the object",
    /// The role may read or write the keys of the signed context.
    KeysGranted: "the role has a privilege on the keys",
    /// A function of the schema `tenancy` is missing, differs from the migrations, or has additional privileges.
    ContextAltered: "the signed context differs from the migrations",
    /// A table with `tenant_id` has no row-level security.
    RlsDisabled: "row-level security is disabled",
    /// Policies do not apply to the table's owner, nor to views that the owner owns.
    RlsNotForced: "row-level security is not forced",
    /// The restrictive policy of the table is missing or differs from the one of `enable_table`.
    PolicyAltered: "the policy tenancy_isolation is missing or altered",
    /// A policy depends on a setting or a claim that its user can change.
    PolicyForgeable: "a policy depends on a value that SQL or the user can change",
    /// A row can have no tenant.
    NullableTenantId: "tenant_id can be NULL",
    /// A row without an explicit tenant gets no tenant, or a wrong one.
    DefaultMissing: "the default of tenant_id is not tenancy.tenant_id()",
    /// A view reads a tenants' table as an owner that bypasses row-level security.
    View: "a view reads tenants' rows as an owner that bypasses row-level security",
    /// A rule runs with the privileges of its table's owner.
    Rule: "a rule runs as the owner of its table",
    /// A function runs as an owner that bypasses row-level security or owns tenants' tables.
    SecurityDefiner: "a function runs as an owner that bypasses row-level security or can disable it",
    /// A function runs as its owner, and its caller can choose which objects its names refer to.
    SearchPathMutable: "a SECURITY DEFINER function has no fixed search_path",
    /// A function is evaluated on rows before policies hide them.
    Leakproof: "a LEAKPROOF function sees rows before policies hide them",
    /// A language or an extension keeps state in the session that no scrub resets.
    SessionState: "it keeps state in the session, which the next tenant of the session finds",
    /// A materialized view contains rows of all tenants and has no row-level security.
    MaterializedView: "a materialized view contains tenants' rows without row-level security",
    /// A foreign table, server, user mapping or foreign-data wrapper reaches data outside of row-level security.
    ForeignTable: "it reaches data on another server without row-level security",
    /// A partition is granted in addition to its table.
    PartitionGranted: "a partition is granted in addition to its table",
    /// The role can reach a table without `tenant_id` that is not shared for reading.
    NoTenantId: "a table without tenant_id can be reached and is not shared for reading",
    /// A unique key or exclusion constraint does not compare `tenant_id`, so it reveals rows of other tenants.
    UniqueWithoutTenant: "a unique key without tenant_id reveals other tenants' rows",
    /// An index does not begin with `tenant_id`, so the server's counters reveal rows of other tenants.
    IndexWithoutTenant: "an index that does not begin with tenant_id reveals other tenants' rows by counters",
    /// A foreign key does not pair `tenant_id` with `tenant_id`, so it reaches rows of other tenants.
    ForeignKeyWithoutTenant: "a foreign key without tenant_id reaches other tenants' rows",
    /// `TRUNCATE` is granted. No policy applies to it.
    TruncateGranted: "TRUNCATE is granted, and no policy applies to it",
    /// A privilege is granted that a service does not need, for example `REFERENCES` or `TRIGGER`.
    ExcessGrant: "a privilege is granted that a service does not need",
    /// The role can read or set the value of a sequence, which counts the rows of all tenants.
    SequenceVisible: "the value of a sequence, which all tenants share, can be read or set",
    /// Objects that are created later are granted to the role as soon as they exist.
    DefaultPrivileges: "future objects are granted as soon as they are created",
    /// The role can create objects that statements of others would use.
    CreateGranted: "CREATE is granted",
    /// The role can create temporary tables, which the next tenant of a session finds.
    TempGranted: "TEMPORARY is granted",
    /// The role can create large objects, which belong to no tenant.
    LargeObjects: "large objects can be created, and they belong to no tenant",
    /// Settings are stored for the role. A tenant can change the settings of its own role for all tenants.
    RoleSettings: "settings are stored for the role",
    /// `pg_stat_activity` shows the statements of the role's other sessions.
    ActivityVisible: "a tenant can read the statements of other tenants' sessions",
    /// An extension shows statements of other sessions, or requests that other tenants queued.
    StatisticsVisible: "an extension shows statements or requests of other tenants",
    /// The server has a known vulnerability, or its version gets no fixes any more.
    ServerVersion: "the server has known vulnerabilities",
    /// The list of vulnerabilities in this crate is more than a year old.
    VulnerabilityListOld: "the audit's list of server vulnerabilities is more than a year old",
    /// The policy accepts a finding that does not exist.
    AcceptanceUnused: "the policy accepts a finding that does not exist",
}

impl FindingKind {
    /// Returns whether an [`AuditPolicy`](crate::AuditPolicy) can accept findings of this kind.
    ///
    /// The kinds on which the signed context itself depends cannot be accepted.
    pub const fn can_be_accepted(self) -> bool {
        !matches!(self, Self::Superuser | Self::BypassRls | Self::KeysGranted | Self::ContextAltered)
    }
}

impl FromStr for FindingKind {
    type Err = ParseFindingKindError;

    /// Parses the [name](Self::name) of a kind.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or(ParseFindingKindError(()))
    }
}

/// The error for a text that is not the name of a [`FindingKind`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseFindingKindError(());

impl fmt::Display for ParseFindingKindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown kind of finding")
    }
}

impl Error for ParseFindingKindError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_name_of_each_kind() {
        for kind in FindingKind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
            assert_eq!(kind.name(), format!("{kind:?}"));
        }
        assert!("rlsdisabled".parse::<FindingKind>().is_err());
    }
}
