//! The values of an agent's content as columns.

use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};

use crate::agent::{Capabilities, Capability, Tier};
use crate::card::Card;
use crate::text::{Description, Endpoint, Text};
use crate::visibility::Visibility;

pub(super) type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// A type that is stored in a column.
pub(super) trait Column: Sized {
    fn read(value: ValueRef<'_>) -> Result<Self, BoxError>;

    fn write(&self) -> ToSqlOutput<'_>;
}

/// A type that is stored as its text.
macro_rules! text {
    ($type:ty, $read:expr $(, $($generic:tt)+)?) => {
        impl$(<$($generic)+>)? Column for $type {
            fn read(value: ValueRef<'_>) -> Result<Self, BoxError> {
                Ok($read(value.as_str()?)?)
            }

            fn write(&self) -> ToSqlOutput<'_> {
                ToSqlOutput::from(self.as_str())
            }
        }
    };
}

text!(Text<N>, Text::stored, const N: usize);
text!(Description, Description::stored);
text!(Endpoint, Endpoint::parse);
text!(Tier, |text| Tier::from_name(text).ok_or("no such tier"));
text!(Visibility, |text| Visibility::from_name(text).ok_or("no such visibility"));

/// The tags, separated by spaces. No tag contains a space.
impl Column for Capabilities {
    fn read(value: ValueRef<'_>) -> Result<Self, BoxError> {
        Ok(Self::parse(value.as_str()?.split_ascii_whitespace())?)
    }

    fn write(&self) -> ToSqlOutput<'_> {
        let words: String = self.iter().map(Capability::as_str).collect::<Vec<_>>().join(" ");
        ToSqlOutput::from(words)
    }
}

impl Column for Option<Card> {
    fn read(value: ValueRef<'_>) -> Result<Self, BoxError> {
        Ok(value.as_str_or_null()?.map(Card::stored).transpose()?)
    }

    fn write(&self) -> ToSqlOutput<'_> {
        match self {
            Some(card) => ToSqlOutput::from(card.as_str()),
            None => ToSqlOutput::Owned(Value::Null),
        }
    }
}
