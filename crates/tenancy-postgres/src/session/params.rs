//! How parameters are sent.
//!
//! A statement's parameters are encoded before anything is sent, so that a value that cannot be encoded costs nothing.
//! The type of a parameter is the one that the Rust value names: `i64` is sent as `bigint`, `Uuid` as `uuid`. Text is
//! sent as text of no particular type, and the server converts it to what the statement needs: an enum, `jsonb`, a
//! date. The server is asked for the type only if the value does not name one, as with `SystemTime`, which can be a
//! `timestamp` or a `timestamptz`, or with a type that the database defines.

use std::ops::Range;

use bytes::BytesMut;
use postgres_types::{Format, IsNull, Oid, ToSql, Type};

use crate::wire::Value;

pub(crate) type Param<'a> = &'a (dyn ToSql + Sync);

/// The type that the server is asked to infer.
pub(crate) const INFERRED: Oid = 0;

const TEXT: i16 = 0;
const BINARY: i16 = 1;

/// Types that a Rust value can name. The order is by how common they are.
const NAMED: &[Type] = &[
    Type::INT8,
    Type::UUID,
    Type::INT4,
    Type::BOOL,
    Type::FLOAT8,
    Type::BYTEA,
    Type::INT2,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMP,
    Type::DATE,
    Type::JSONB,
    Type::NUMERIC,
    Type::TIME,
    Type::FLOAT4,
    Type::OID,
    Type::CHAR,
    Type::INET,
    Type::CIDR,
    Type::MACADDR,
    Type::INTERVAL,
    Type::VARBIT,
    Type::POINT,
    Type::BOX,
    Type::PATH,
    Type::INT8_ARRAY,
    Type::UUID_ARRAY,
    Type::INT4_ARRAY,
    Type::BOOL_ARRAY,
    Type::FLOAT8_ARRAY,
    Type::BYTEA_ARRAY,
    Type::INT2_ARRAY,
    Type::FLOAT4_ARRAY,
    Type::OID_ARRAY,
];

/// Types that a value of an earlier type of [`NAMED`] may mean as well: then the server is asked.
const ALTERNATIVES: &[(Type, Type)] = &[
    (Type::TIMESTAMPTZ, Type::TIMESTAMP),
    (Type::JSONB, Type::JSON),
    (Type::INET, Type::CIDR),
    (Type::VARBIT, Type::BIT),
];

/// Parameters as they are sent.
#[derive(Default)]
pub(crate) struct Encoded {
    buffer: BytesMut,
    values: Vec<(i16, Option<Range<usize>>)>,
    /// The declared type of each; [`INFERRED`] for text.
    pub(crate) types: Vec<Oid>,
    /// Whether the server has to be asked for a type: one of the values does not name it.
    pub(crate) asks: bool,
}

/// The number of the parameter that cannot be encoded, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EncodeError(pub(crate) usize);

impl Encoded {
    /// Encodes the values. `known` has the types that the server inferred, if it was asked for them.
    pub(crate) fn new(params: &[Param<'_>], known: Option<&[Type]>) -> Result<Self, EncodeError> {
        let mut encoded = Self::default();
        for (index, param) in params.iter().enumerate() {
            let known = known.and_then(|known| known.get(index));
            encoded.push(*param, known).map_err(|()| EncodeError(index + 1))?;
        }
        Ok(encoded)
    }

    /// Whether all values are sent as text, whose types the server infers.
    pub(crate) fn is_text(&self) -> bool {
        self.types.iter().all(|declared| *declared == INFERRED) && !self.asks
    }

    /// Declares no types: the server is asked for all of them.
    pub(crate) fn undeclared(mut self) -> Self {
        self.types.fill(INFERRED);
        self
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = Value<'_>> + Clone {
        self.values.iter().map(|(format, range)| Value {
            format: *format,
            bytes: range.clone().map(|range| &self.buffer[range]),
        })
    }

    fn push(&mut self, param: Param<'_>, known: Option<&Type>) -> Result<(), ()> {
        if self.write(param, &Type::TEXT, TEXT, INFERRED) {
            return Ok(());
        }
        if let Some(known) = known {
            let format = match param.encode_format(known) {
                Format::Text => TEXT,
                Format::Binary => BINARY,
            };
            return if self.write(param, known, format, known.oid()) { Ok(()) } else { Err(()) };
        }
        for named in NAMED {
            if self.write(param, named, BINARY, named.oid()) {
                let other = ALTERNATIVES.iter().find(|(first, _)| first == named);
                if other.is_some_and(|(_, other)| accepts(param, other)) {
                    self.ask();
                }
                return Ok(());
            }
        }
        self.values.push((BINARY, None));
        self.types.push(INFERRED);
        self.asks = true;
        Ok(())
    }

    fn ask(&mut self) {
        self.asks = true;
        if let Some(r#type) = self.types.last_mut() {
            *r#type = INFERRED;
        }
    }

    fn write(&mut self, param: Param<'_>, r#type: &Type, format: i16, declared: Oid) -> bool {
        let start = self.buffer.len();
        let range = match param.to_sql_checked(r#type, &mut self.buffer) {
            Ok(IsNull::No) => Some(start..self.buffer.len()),
            Ok(IsNull::Yes) => None,
            Err(_) => {
                self.buffer.truncate(start);
                return false;
            }
        };
        self.values.push((format, range));
        self.types.push(declared);
        true
    }
}

fn accepts(param: Param<'_>, r#type: &Type) -> bool {
    param.to_sql_checked(r#type, &mut BytesMut::new()).is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tenancy::TenantId;
    use uuid::Uuid;

    use super::*;
    use crate::id::PgTenantId;

    fn types(params: &[Param<'_>]) -> (Vec<Oid>, bool) {
        let encoded = Encoded::new(params, None).expect("values that can be encoded");
        (encoded.types.clone(), encoded.asks)
    }

    #[test]
    fn sends_a_value_as_the_type_that_it_names() {
        let id = PgTenantId(TenantId::PLATFORM);
        let params: [Param<'_>; 9] =
            [&1_i64, &1_i32, &1_i16, &true, &1.5_f64, &id, &Uuid::nil(), &&[1_u8][..], &vec![1_i64]];
        let expected = [
            Type::INT8,
            Type::INT4,
            Type::INT2,
            Type::BOOL,
            Type::FLOAT8,
            Type::UUID,
            Type::UUID,
            Type::BYTEA,
            Type::INT8_ARRAY,
        ];
        assert_eq!(types(&params), (expected.iter().map(Type::oid).collect(), false));
        assert_eq!(types(&[&None::<i32>]), (vec![Type::INT4.oid()], false));
    }

    #[test]
    fn sends_text_without_a_type() {
        let params: [Param<'_>; 4] = [&"a", &String::from("b"), &Some("c"), &None::<String>];
        let encoded = Encoded::new(&params, None).expect("text");
        assert_eq!(encoded.types, [INFERRED; 4]);
        assert!(!encoded.asks);
        let sent: Vec<_> = encoded.values().map(|value| (value.format, value.bytes)).collect();
        assert_eq!(sent, [(0, Some(&b"a"[..])), (0, Some(b"b")), (0, Some(b"c")), (0, None)]);
    }

    #[test]
    fn asks_for_the_type_of_a_value_that_does_not_name_it() {
        let now = SystemTime::now();
        assert_eq!(types(&[&1_i64, &now]), (vec![Type::INT8.oid(), INFERRED], true));
        let known = [Type::INT8, Type::TIMESTAMP];
        let encoded = Encoded::new(&[&1_i64, &now], Some(&known)).expect("a time");
        assert_eq!(
            (&encoded.types[..], encoded.asks),
            (&[Type::INT8.oid(), Type::TIMESTAMP.oid()][..], false)
        );
        assert!(matches!(Encoded::new(&[&now], Some(&[Type::INT4])), Err(EncodeError(1))));
    }
}
