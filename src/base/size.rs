//! Sizes in bytes, as people write them.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// What a size takes, in words.
pub(crate) const TAKES: &str =
    "a size: bytes, or a whole number with KiB, MiB or GiB, such as 64MiB";

/// A number of bytes: `65536`, `64KiB`, `64 MiB` or `4GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// The text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: bytes are expected, or a whole number with KiB, MiB or GiB")]
pub struct ParseSizeError(String);

impl Size {
    /// So many bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let parse = || {
            let (number, factor) = UNITS
                .iter()
                .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?.trim_end(), *factor)))
                .unwrap_or((text, 1));
            let is_plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let number = is_plain.then(|| number.parse::<u64>().ok()).flatten()?;
            let bytes = number.checked_mul(factor)?;
            // The database counts no further.
            i64::try_from(bytes).is_ok().then_some(Self(bytes))
        };
        parse().ok_or_else(|| ParseSizeError(text.to_owned()))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in UNITS {
            if self.0 > 0 && self.0.is_multiple_of(factor) {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        self.0.fmt(f)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, written) in [
            ("0", 0, "0"),
            ("65536", 65_536, "64KiB"),
            ("64KiB", 65_536, "64KiB"),
            ("64 MiB", 64 << 20, "64MiB"),
            ("4GiB", 4 << 30, "4GiB"),
            ("1025", 1_025, "1025"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!(size.bytes(), bytes, "{text}");
            assert_eq!(size.to_string(), written);
            assert_eq!(written.parse::<Size>().unwrap(), size);
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        let too_large = format!("{}GiB", u64::MAX);
        for text in
            ["", " ", "-1", "+1", "1.5MiB", "1MB", "1M", "1mib", "MiB", "0x10", "1 0", &too_large]
        {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert!(i64::MAX.to_string().parse::<Size>().is_ok());
        assert!((i64::MAX as u64 + 1).to_string().parse::<Size>().is_err());
    }
}
