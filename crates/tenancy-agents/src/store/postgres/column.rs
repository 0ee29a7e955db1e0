//! The values of an agent's content as columns.

use std::vec::Vec;

use tokio_postgres::types::{FromSql, ToSql};

use crate::agent::{Capabilities, Capability, Tier};
use crate::card::Card;
use crate::text::{Description, Endpoint, Text};
use crate::visibility::Visibility;

/// A type that is stored in a column.
pub(super) trait Column: Sized {
    /// The type that the driver reads and writes.
    type Sql<'a>: FromSql<'a> + ToSql + Sync + Send
    where
        Self: 'a;

    /// Returns `None` if the value is invalid.
    fn read(value: Self::Sql<'_>) -> Option<Self>;

    fn write(&self) -> Self::Sql<'_>;
}

/// A type that is stored as its text.
macro_rules! text {
    ($type:ty, $read:expr $(, $($generic:tt)+)?) => {
        impl$(<$($generic)+>)? Column for $type {
            type Sql<'a> = &'a str;

            fn read(text: &str) -> Option<Self> {
                $read(text)
            }

            fn write(&self) -> &str {
                self.as_str()
            }
        }
    };
}

text!(Text<N>, |text| Text::stored(text).ok(), const N: usize);
text!(Description, |text| Description::stored(text).ok());
text!(Endpoint, |text| Endpoint::parse(text).ok());
text!(Tier, Tier::from_name);
text!(Visibility, Visibility::from_name);

impl Column for Capabilities {
    type Sql<'a> = Vec<&'a str>;

    fn read(tags: Vec<&str>) -> Option<Self> {
        Self::parse(tags).ok()
    }

    fn write(&self) -> Vec<&str> {
        self.iter().map(Capability::as_str).collect()
    }
}

impl Column for Option<Card> {
    type Sql<'a> = Option<&'a str>;

    fn read(text: Option<&str>) -> Option<Self> {
        match text {
            None => Some(None),
            Some(text) => Card::stored(text).ok().map(Some),
        }
    }

    fn write(&self) -> Option<&str> {
        self.as_ref().map(Card::as_str)
    }
}
