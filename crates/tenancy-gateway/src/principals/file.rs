//! The format of the principals file.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, SeqAccess, Unexpected, Visitor};
use tenancy::{TenantId, TenantRecord};

use super::{Digest, Membership, Principal, Principals, PrincipalsFile};
use crate::tenants::view::TenantView;

const DEMO: &str = include_str!("../../demo.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tenants: Vec<TenantView>,
    principals: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    token: Digest,
    tenants: Membership,
}

impl PrincipalsFile {
    /// Returns the built-in demo.
    ///
    /// # Errors
    ///
    /// None: a test parses the demo.
    pub fn demo() -> Result<Self> {
        Self::parse(DEMO).context("demo.json")
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is invalid. The error names the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path);
        text.map_err(anyhow::Error::from)
            .and_then(|text| Self::parse(&text))
            .with_context(|| path.display().to_string())
    }

    /// Parses a text.
    ///
    /// # Errors
    ///
    /// If the text is invalid. The error contains no token.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = serde_json::from_str(text)?;
        let tenants: Vec<_> = file.tenants.into_iter().map(TenantRecord::from).collect();
        check_tenants(&tenants)?;
        Ok(Self { principals: principals(file.principals, &tenants)?, tenants })
    }
}

fn check_tenants(tenants: &[TenantRecord]) -> Result<()> {
    let (mut ids, mut slugs) = (HashSet::new(), HashSet::new());
    for tenant in tenants {
        ensure!(ids.insert(tenant.id()), "two tenants have the id {}", tenant.id());
        ensure!(slugs.insert(tenant.slug()), "two tenants have the slug {}", tenant.slug());
    }
    Ok(())
}

fn principals(entries: Vec<Entry>, tenants: &[TenantRecord]) -> Result<Principals> {
    let mut names = HashSet::new();
    let mut principals = Principals::default();
    for Entry { name, token, tenants: membership } in entries {
        ensure!(!name.is_empty(), "a principal has no name");
        ensure!(names.insert(name.clone()), "two principals have the name {name:?}");
        if let Membership::Of(ids) = &membership {
            let stranger = ids.iter().find(|id| tenants.iter().all(|tenant| tenant.id() != **id));
            if let Some(stranger) = stranger {
                anyhow::bail!("the principal {name:?} is of the tenant {stranger}, which is not in the file");
            }
        }
        let is_new = principals.add(token, Principal::new(name.clone(), membership));
        ensure!(is_new, "the principal {name:?} has the token of another");
    }
    Ok(principals)
}

impl<'de> Deserialize<'de> for Membership {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MembershipVisitor)
    }
}

/// A visitor rather than an untagged enum, whose errors do not name the fault.
struct MembershipVisitor;

impl<'de> Visitor<'de> for MembershipVisitor {
    type Value = Membership;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tenants' ids, or \"all\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Membership, E> {
        match text {
            "all" => Ok(Membership::All),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, ids: A) -> Result<Membership, A::Error> {
        let ids = Vec::<TenantId>::deserialize(SeqAccessDeserializer::new(ids))?;
        let tenants: HashSet<_> = ids.iter().copied().collect();
        if tenants.len() != ids.len() {
            return Err(A::Error::custom("a tenant is listed twice"));
        }
        Ok(Membership::Of(tenants))
    }
}
