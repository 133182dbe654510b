//! What statements of a server are given: values as SQLite takes them, in the form that the server
//! expects in their place.

use std::borrow::Cow;
use std::error::Error as StdError;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};

use super::error::{Error, Result};
use super::params::{self, Params};
use crate::base::timestamp::Timestamp;

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
pub(super) const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Why a value is not what belongs in its place.
type Misfit = Box<dyn StdError + Sync + Send>;

/// The parameters of a statement.
pub(super) fn given<P: Params>(params: &P) -> Result<Vec<Given>> {
    let mut given = Vec::new();
    params.each(&mut |value| {
        given.push(Given(params::owned(value)?));
        Ok(())
    })?;
    Ok(given)
}

/// A parameter as SQLite takes it, given as what the server expects in its place.
#[derive(Debug)]
pub(super) struct Given(Value);

impl ToSql for Given {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Misfit> {
        put(ValueRef::from(&self.0), ty, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Rows as a list of values of a composite type of the server. They are written in the form in which
/// they are sent as they come: a batch has thousands of values.
#[derive(Debug)]
pub(crate) struct Records {
    /// The composite type, and those of its columns.
    record: Type,
    fields: Vec<Type>,
    count: usize,
    bytes: Vec<u8>,
}

/// Where the bytes of values go.
trait Sink {
    fn add(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn add(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for BytesMut {
    fn add(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Records {
    /// An empty list for a parameter that takes a list of this type.
    pub(crate) fn of(list: &Type) -> Result<Self> {
        let unfit = || Error::Value(format!("a list of rows is given where {list} belongs").into());
        let Kind::Array(record) = list.kind() else { return Err(unfit()) };
        let Kind::Composite(fields) = record.kind() else { return Err(unfit()) };
        let fields = fields.iter().map(|field| field.type_().clone()).collect();
        Ok(Self { record: record.clone(), fields, count: 0, bytes: Vec::new() })
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Adds the row that has these values, in the order of the columns.
    pub(crate) fn push<P: Params>(&mut self, values: &P) -> Result<()> {
        let Self { record, fields, count, bytes } = self;
        let misfit = |misfit: Misfit| Error::Value(misfit);
        let begin = bytes.len();
        // The length of the row is known at its end.
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&length(fields.len()).map_err(misfit)?);
        let mut columns = fields.iter();
        values.each(&mut |value| {
            let Some(ty) = columns.next() else {
                return Err(misfit(format!("{record} has fewer columns than a row").into()));
            };
            put_field(&value.to_sql()?, ty, bytes).map_err(misfit)
        })?;
        if columns.next().is_some() {
            return Err(misfit(format!("{record} has more columns than a row").into()));
        }
        let row = length(bytes.len() - begin - 4).map_err(misfit)?;
        bytes[begin..begin + 4].copy_from_slice(&row);
        *count += 1;
        Ok(())
    }
}

/// Adds a column of a row: its type, its length (-1: NULL) and its bytes.
fn put_field(
    value: &ToSqlOutput<'_>,
    ty: &Type,
    out: &mut Vec<u8>,
) -> std::result::Result<(), Misfit> {
    let value = match value {
        ToSqlOutput::Borrowed(value) => *value,
        ToSqlOutput::Owned(value) => ValueRef::from(value),
        // Nothing of wfx is given as anything else.
        _ => return Err("a value is of a kind that is not stored".into()),
    };
    out.extend_from_slice(&ty.oid().to_be_bytes());
    let at = out.len();
    out.extend_from_slice(&(-1_i32).to_be_bytes());
    if let IsNull::No = put(value, ty, out)? {
        let bytes = length(out.len() - at - 4)?;
        out[at..at + 4].copy_from_slice(&bytes);
    }
    Ok(())
}

fn length(count: usize) -> std::result::Result<[u8; 4], Misfit> {
    Ok(i32::try_from(count)?.to_be_bytes())
}

impl ToSql for Records {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Misfit> {
        let dimensions = i32::from(self.count > 0);
        // No element is NULL.
        for number in [dimensions, 0] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.record.oid().to_be_bytes());
        if self.count > 0 {
            out.extend_from_slice(&length(self.count)?);
            // Counted from 1.
            out.extend_from_slice(&1_i32.to_be_bytes());
            out.extend_from_slice(&self.bytes);
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Adds the bytes of a value as those of a type of the server.
fn put(value: ValueRef<'_>, ty: &Type, out: &mut impl Sink) -> std::result::Result<IsNull, Misfit> {
    match (value, ty) {
        (ValueRef::Null, _) => return Ok(IsNull::Yes),
        (ValueRef::Integer(number), &Type::INT8) => {
            out.add(&number.to_be_bytes());
        }
        (ValueRef::Integer(number), &Type::INT4) => {
            out.add(&i32::try_from(number)?.to_be_bytes());
        }
        (ValueRef::Integer(number), &Type::BOOL) => out.add(&[(number != 0).into()]),
        (ValueRef::Integer(number), &Type::FLOAT8) => {
            out.add(&(number as f64).to_be_bytes());
        }
        (ValueRef::Real(number), &Type::FLOAT8) => out.add(&number.to_be_bytes()),
        (ValueRef::Text(text), &Type::TIMESTAMPTZ) => {
            let at: Timestamp = std::str::from_utf8(text)?.parse()?;
            out.add(&(at.as_micros() - EPOCH_MICROS).to_be_bytes());
        }
        (ValueRef::Text(text), &Type::TEXT | &Type::VARCHAR) => {
            out.add(without_nul(std::str::from_utf8(text)?).as_bytes());
        }
        (ValueRef::Text(bytes), &Type::BYTEA | &Type::JSON)
        | (ValueRef::Blob(bytes), &Type::BYTEA) => out.add(bytes),
        (value, ty) => {
            return Err(format!("{} is given where {ty} belongs", value.data_type()).into());
        }
    }
    Ok(IsNull::No)
}

/// What begins the two characters that stand for U+0000, which no text of the server may hold, and
/// for itself: Unicode keeps it from being a character of any text.
const ESCAPE: char = '\u{FFFF}';

/// A text as the server can hold it.
fn without_nul(text: &str) -> Cow<'_, str> {
    // The first byte of the escape, which few texts have.
    if !text.bytes().any(|byte| byte == 0 || byte == 0xEF) || !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut held = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char {
            '\0' => held.extend([ESCAPE, '0']),
            ESCAPE => held.extend([ESCAPE, '1']),
            char => held.push(char),
        }
    }
    Cow::Owned(held)
}

/// The text that [`without_nul`] was given.
pub(super) fn with_nul(held: &str) -> String {
    let mut parts = held.split(ESCAPE);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Only wfx writes here; what others wrote stays as it is.
        let (char, rest) = match part.strip_prefix('0') {
            Some(rest) => ('\0', rest),
            None => (ESCAPE, part.strip_prefix('1').unwrap_or(part)),
        };
        text.push(char);
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{with_nul, without_nul};

    proptest! {
        #[test]
        fn texts_are_held_without_nul_and_read_back(text in "[\\x00\u{FFFF}01aï\u{FFFD}]{0,8}") {
            let held = without_nul(&text).into_owned();
            prop_assert!(!held.contains('\0'));
            prop_assert_eq!(with_nul(&held), text);
        }
    }
}
