//! What a statement is given.

use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};

use super::error::{Error, Result};

/// The parameters of a statement, in their order.
pub(crate) trait Params {
    /// Gives each to `bind`.
    fn each(&self, bind: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()>;
}

macro_rules! arrays {
    ($($length:literal)+) => {
        $(impl<T: ToSql> Params for [T; $length] {
            fn each(&self, bind: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()> {
                self.iter().try_for_each(|value| bind(value))
            }
        })+
    };
}

// Each length on its own, so that `[]` has one meaning.
arrays!(1 2 3 4 5 6 7 8);

impl Params for [&dyn ToSql; 0] {
    fn each(&self, _: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()> {
        Ok(())
    }
}

impl Params for &[&dyn ToSql] {
    fn each(&self, bind: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()> {
        self.iter().try_for_each(|value| bind(value))
    }
}

impl<P: Params> Params for &P {
    fn each(&self, bind: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()> {
        (*self).each(bind)
    }
}

/// Values that were gathered.
pub(crate) struct ParamsFromIter<'v>(pub(crate) &'v [Value]);

impl Params for ParamsFromIter<'_> {
    fn each(&self, bind: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()> {
        self.0.iter().try_for_each(|value| bind(value))
    }
}

/// Values that were gathered.
pub(crate) fn params_from_iter(values: &[Value]) -> ParamsFromIter<'_> {
    ParamsFromIter(values)
}

macro_rules! tuples {
    ($($name:ident $at:tt),+) => {
        impl<$($name: ToSql),+> Params for ($($name,)+) {
            fn each(&self, bind: &mut dyn FnMut(&dyn ToSql) -> Result<()>) -> Result<()> {
                $(bind(&self.$at)?;)+
                Ok(())
            }
        }
    };
}

tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// The value of a parameter, on its own.
pub(crate) fn owned(value: &dyn ToSql) -> Result<Value> {
    let output = value.to_sql().map_err(Error::from)?;
    Ok(match output {
        ToSqlOutput::Owned(value) => value,
        ToSqlOutput::Borrowed(value) => match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        },
        // Nothing of wfx is given as anything else.
        _ => Value::Null,
    })
}
