//! The known name nearest to a mistyped one.

/// Longer names are not compared, nor further candidates: a comparison takes the product of two
/// lengths.
const MISTYPED_BYTES_MAX: usize = 256;

const CANDIDATES_MAX: usize = 256;

/// The known name that was probably meant: the same but for case and separators, or
/// few letters away.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    if name.len() > MISTYPED_BYTES_MAX {
        return None;
    }
    let wanted = plain(name);
    known
        .into_iter()
        .take(CANDIDATES_MAX)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        // The name itself decides between equals, so that the answer is always the same.
        .min()
        .map(|(_, candidate)| candidate)
}
