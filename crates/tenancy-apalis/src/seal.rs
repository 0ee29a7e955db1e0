//! The token of a task, and the bytes that it seals.

use std::convert::Infallible;

use apalis_core::task::metadata::{Metadata, MetadataStore};
use serde::Serialize;

/// The key of a task's metadata with its token, in the form of [`tenancy_token::encode_text`].
pub const TASK_TOKEN: &str = "tenant-token";

/// A token as metadata. A task has one: a new token replaces it.
pub(crate) struct TokenText(pub(crate) String);

impl Metadata for TokenText {
    type Error = Infallible;

    fn extract(store: &MetadataStore) -> Result<Self, Infallible> {
        Ok(Self(store.get(TASK_TOKEN).unwrap_or_default().to_owned()))
    }

    fn inject(&self, store: &mut MetadataStore) -> Result<(), Infallible> {
        store.replace(TASK_TOKEN, self.0.as_str());
        Ok(())
    }
}

/// Returns the arguments as JSON with sorted keys, so that equal arguments have equal bytes.
pub(crate) fn sealed_bytes<Args: Serialize>(args: &Args) -> Result<Vec<u8>, serde_json::Error> {
    let mut value = serde_json::to_value(args)?;
    // With the feature `preserve_order` of `serde_json`, which another crate may enable, the keys are not sorted.
    value.sort_all_objects();
    serde_json::to_vec(&value)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn equal_arguments_have_equal_bytes() {
        let maps = (0..20).map(|_| (0..20).map(|key| (key.to_string(), key)).collect::<HashMap<_, _>>());
        let mut bytes = maps.map(|map| sealed_bytes(&map).unwrap());
        let first = bytes.next().unwrap();
        assert!(bytes.all(|bytes| bytes == first));
        assert_ne!(sealed_bytes(&"17").unwrap(), sealed_bytes(&17).unwrap());
    }
}
