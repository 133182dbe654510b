//! Where a list goes on, as clients keep it: a token that says nothing to them.         (pure)
//!
//! It is base64url, without padding, of a version, a checksum of the filter that it continues, the
//! position, and a checksum of all of these. Before, a cursor was the number of an execution; that
//! is still taken.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Crc;

use super::listing::{ListFilter, Position};

/// What the bytes of a token begin with. The first character of one is never a digit.
const VERSION: u8 = 1;
/// Version, filter, position, checksum.
const TOKEN_BYTES: usize = 1 + 4 + 8 + 4;

/// Why a token cannot be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CursorError {
    /// Nobody gave it out as it is.
    #[error("it is damaged, or was given out by another version of wfx")]
    Damaged,
    /// It was given out for another list.
    #[error("it continues another list, of another workflow, `status` or time")]
    OtherList,
}

/// The token of the list by `filter` after `position`.
#[must_use]
pub(crate) fn token(filter: &ListFilter, position: Position) -> String {
    let mut bytes = Vec::with_capacity(TOKEN_BYTES);
    bytes.push(VERSION);
    bytes.extend(fingerprint(filter).to_be_bytes());
    bytes.extend(position.number().to_be_bytes());
    bytes.extend(checksum(&bytes).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where the list by `filter` goes on after the page that gave out `token`, or an execution's
/// number as a token was before.
///
/// # Errors
/// When it is none, or one of another list.
pub(crate) fn parse(filter: &ListFilter, token: &str) -> Result<Position, CursorError> {
    if let Ok(number) = token.parse() {
        return Ok(Position::new(number));
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| CursorError::Damaged)?;
    let bytes: [u8; TOKEN_BYTES] = bytes.try_into().map_err(|_| CursorError::Damaged)?;
    let (content, check) = bytes.split_at(TOKEN_BYTES - 4);
    let [VERSION, content @ ..] = content else { return Err(CursorError::Damaged) };
    if checksum(&bytes[..TOKEN_BYTES - 4]).to_be_bytes() != check {
        return Err(CursorError::Damaged);
    }
    let (list, position) = content.split_at(4);
    if fingerprint(filter).to_be_bytes() != list {
        return Err(CursorError::OtherList);
    }
    let position = position.try_into().map_err(|_| CursorError::Damaged)?;
    Ok(Position::new(i64::from_be_bytes(position)))
}

/// A checksum of which executions are listed; not of where the list goes on.
fn fingerprint(filter: &ListFilter) -> u32 {
    let ListFilter { workflow_id, status, since, after: _ } = filter;
    // No name has a line feed, and no two filters the same text.
    let workflow_id = workflow_id.as_ref().map_or_else(String::new, |id| format!("={id}"));
    let status = status.map_or("", |status| status.as_str());
    let since = since.map_or_else(String::new, |since| since.given.to_string());
    checksum(format!("{status}\n{since}\n{workflow_id}").as_bytes())
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut checksum = Crc::new();
    checksum.update(bytes);
    checksum.sum()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::base::period::Period;
    use crate::base::since::Since;
    use crate::base::timestamp::Timestamp;
    use crate::workflow::record::ExecutionStatus;

    fn filters() -> Vec<ListFilter> {
        let mut filters = Vec::new();
        for workflow_id in [None, Some(""), Some("w"), Some("failed")] {
            for status in [None, Some(ExecutionStatus::Failed), Some(ExecutionStatus::Success)] {
                let ago = Since::Ago(Period::new(Duration::from_secs(1)));
                let at = |micros| Since::At(Timestamp::from_micros(micros));
                for since in [None, Some(at(0)), Some(at(1)), Some(ago)] {
                    filters.push(ListFilter {
                        workflow_id: workflow_id.map(str::to_owned),
                        status,
                        since: since.map(|since| since.start(Timestamp::from_micros(5_000_000))),
                        after: None,
                    });
                }
            }
        }
        filters
    }

    #[test]
    fn a_token_continues_the_list_that_it_was_given_out_for_and_no_other() {
        let filters = filters();
        for (index, filter) in filters.iter().enumerate() {
            for number in [i64::MIN, -1, 0, 1, i64::MAX] {
                let position = Position::new(number);
                let token = token(filter, position);
                for (other_index, other) in filters.iter().enumerate() {
                    let expected = if index == other_index {
                        Ok(position)
                    } else {
                        Err(CursorError::OtherList)
                    };
                    assert_eq!(parse(other, &token), expected, "{filter:?} {other:?}");
                }
                // The position that it is read with is not a part of the list.
                let further = ListFilter { after: Some(Position::new(7)), ..filter.clone() };
                assert_eq!(parse(&further, &token), Ok(position));
            }
        }
    }

    #[test]
    fn the_last_hours_are_the_same_list_later() {
        let at = |now| {
            let since = Since::Ago(Period::new(Duration::from_secs(7200)));
            let since = Some(since.start(Timestamp::from_micros(now)));
            ListFilter { since, ..ListFilter::default() }
        };
        let position = Position::new(7);
        let token = token(&at(9_000_000_000), position);
        assert_eq!(parse(&at(9_060_000_000), &token), Ok(position));
    }

    #[test]
    fn numbers_as_earlier_versions_gave_them_out_are_taken() {
        for (text, number) in [("1", 1), ("0", 0), ("-5", -5), ("9223372036854775807", i64::MAX)] {
            for filter in filters() {
                assert_eq!(parse(&filter, text), Ok(Position::new(number)));
            }
        }
    }

    #[test]
    fn what_nobody_gave_out_is_damaged() {
        let whole = token(&ListFilter::default(), Position::new(42));
        let padded = format!("{whole}=");
        let longer = format!("{whole}AAAA");
        for text in ["", "x", " 1", "1 ", "9223372036854775808", &whole[1..], &padded, &longer] {
            let parsed = parse(&ListFilter::default(), text);
            assert_eq!(parsed, Err(CursorError::Damaged), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_character_is_noticed(number: i64, at in 0..23_usize, to in "[A-Za-z0-9_-]") {
            let filter = ListFilter::default();
            let whole = token(&filter, Position::new(number));
            prop_assert_eq!(whole.len(), 23);
            prop_assert!(whole.starts_with('A'));
            let mut changed = whole.clone();
            changed.replace_range(at..=at, &to);
            let expected = if changed == whole { Ok(Position::new(number)) } else { Err(CursorError::Damaged) };
            prop_assert_eq!(parse(&filter, &changed), expected);
        }
    }
}
