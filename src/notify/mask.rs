//! Replaces secrets in texts that go to channels by `***`.                             (pure)
//!
//! A secret is looked for in *views* of a text: as it is, and as it reads once the encodings in which
//! programs print are undone, one or two on top of another. So it is found whichever characters an
//! encoder escapes, and in whichever way. Blanks, line ends and control characters do not count, since
//! texts are wrapped. Values that are shorter than [`LENGTH_MIN`] are not masked, since they would be
//! found in every other text.

mod encoding;
mod search;
mod url;
mod view;

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use anstream::adapter::strip_str;
use percent_encoding::percent_decode_str;

use self::encoding::Encoding;
use self::search::{Automaton, Found, search, search_after_cuts};
use self::view::{View, is_blank};

/// What stands for a secret.
pub(crate) const MASKED: &str = "***";
/// The shortest value that is masked, characters that are no blanks.
const LENGTH_MIN: usize = 6;
/// The most secrets, and the most bytes of all of them together: the search takes some 50 bytes of
/// memory for each.
const SECRETS_MAX: usize = 10_000;
const BYTES_MAX: usize = 256 * 1024;
/// How many encodings on top of one another are undone.
const ENCODINGS_MAX: usize = 2;
/// The most bytes in which encodings write one, also two on top of one another: `&amp;#x0041;`.
const ENCODED_MAX: usize = 12;
/// How much of a text that may begin in the middle of a secret is not shown at least, bytes.
const LEAD_MIN: usize = 512;

/// Words in the names of variables that hold secrets.
const SECRET_WORDS: [&str; 6] =
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL"];
/// Ends of such names.
const SECRET_ENDS: [&str; 2] = ["KEY", "KEYS"];

/// Whether the value of a variable or parameter of this name is to be masked.
#[must_use]
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
        || SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

/// Secrets that are looked for.
#[derive(Clone, Default)]
pub(crate) struct Mask {
    /// Without blanks.
    secrets: BTreeSet<Vec<u8>>,
    bytes: usize,
    /// The most bytes of a line of one.
    longest_line: usize,
    /// Made of them when they are first looked for: from their beginnings, and from their ends.
    forward: OnceLock<Option<Arc<Automaton>>>,
    backward: OnceLock<Option<Arc<Automaton>>>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").field("secrets", &self.secrets.len()).finish()
    }
}

impl Mask {
    /// Adds a secret.
    pub(crate) fn add(&mut self, value: &str) {
        // Programs print what is meant, too: a key whose lines are written as `\n`.
        let view = value.contains('\\').then(|| View::of(value));
        let meant = view.and_then(|view| Encoding::Backslashes.undone(&view, &view));
        let meant = meant.map(|meant| String::from_utf8_lossy(&meant.bytes).into_owned());
        let has_lines = meant.as_ref().is_some_and(|meant| meant.trim().contains('\n'));
        self.add_lines(value, has_lines);
        if let Some(meant) = meant {
            self.add_lines(&meant, false);
        }
    }

    /// Adds a URL that is a secret: as a whole, its path with its query, and its user's password.
    pub(crate) fn add_url(&mut self, url: &str) {
        let url = url.trim();
        self.add(url);
        let Some((_, rest)) = url.split_once("://") else { return };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        self.add(path);
        if let Some((_, password)) =
            authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'))
        {
            self.add(password);
            self.add(&percent_decode_str(password).decode_utf8_lossy());
        }
    }

    /// Whether there is more than is searched for.
    #[must_use]
    pub(crate) fn is_too_long(&self) -> bool {
        self.bytes > BYTES_MAX || self.secrets.len() > SECRETS_MAX
    }

    /// How much of a text that may begin in the middle of a secret is not to be shown, bytes: as much
    /// as a line of any of them takes, however it is encoded. Further lines are found alone.
    #[must_use]
    pub(crate) fn lead(&self) -> usize {
        LEAD_MIN.max(self.longest_line.saturating_mul(ENCODED_MAX))
    }

    /// Adds a value and its lines, unless it `has_lines` that are added otherwise.
    fn add_lines(&mut self, value: &str, has_lines: bool) {
        let value = value.trim();
        self.insert(value);
        // As it is printed: without sequences for terminals.
        self.insert(&strip_str(value).to_string());
        for line in value.split(['\n', '\r']) {
            self.insert(line);
            if !has_lines {
                self.longest_line = self.longest_line.max(line.len());
            }
        }
    }

    fn insert(&mut self, value: &str) {
        let packed: String = value.chars().filter(|c| !is_blank(*c)).collect();
        if packed.chars().count() < LENGTH_MIN || self.is_too_long() {
            return;
        }
        let bytes = packed.len();
        if self.secrets.insert(packed.into_bytes()) {
            self.bytes += bytes;
            (self.forward, self.backward) = (OnceLock::new(), OnceLock::new());
        }
    }

    fn forward(&self) -> Option<&Automaton> {
        let make = || Automaton::new(self.secrets.iter().map(Vec::as_slice)).map(Arc::new);
        self.forward.get_or_init(make).as_deref()
    }

    fn backward(&self) -> Option<&Automaton> {
        let make = || {
            let reversed = |secret: &Vec<u8>| secret.iter().rev().copied().collect();
            let reversed: Vec<Vec<u8>> = self.secrets.iter().map(reversed).collect();
            Automaton::new(reversed.iter().map(Vec::as_slice)).map(Arc::new)
        };
        self.backward.get_or_init(make).as_deref()
    }

    /// Where secrets are in a text, ascending and apart. With `begins_cut`, the text may begin in the
    /// middle of one; every text may end in the middle of one, since whoever prints it may be killed,
    /// and may be cut wherever it has an ellipsis.
    #[must_use]
    pub(crate) fn ranges(&self, text: &str, begins_cut: bool) -> Vec<Range<usize>> {
        let mut look = Look {
            mask: self,
            end: text.trim_end().len(),
            begins_cut,
            seen: HashSet::new(),
            found: Found::new(text.len()),
        };
        look.at(&View::of(text), ENCODINGS_MAX);
        let found = look.found;
        let mut apart: Vec<Range<usize>> = Vec::new();
        for range in found.ranges() {
            // What stands for a byte may be a part of a character.
            let start = (0..=range.start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let end = (range.end..text.len()).find(|at| text.is_char_boundary(*at));
            let end = end.unwrap_or(text.len());
            match apart.last_mut() {
                Some(last) if last.end >= start => last.end = last.end.max(end),
                _ => apart.push(start..end),
            }
        }
        apart
    }

    /// A text that is whole, without its secrets.
    #[must_use]
    pub(crate) fn apply(&self, text: &str) -> String {
        replaced(text, 0, &self.ranges(text, false))
    }
}

/// A look for secrets in a text.
struct Look<'m> {
    mask: &'m Mask,
    /// Where the text ends, without blanks.
    end: usize,
    begins_cut: bool,
    /// Views that were looked at, by their hashes: encodings that do not concern one another lead to
    /// the same in any order.
    seen: HashSet<(u64, usize)>,
    found: Found,
}

impl Look<'_> {
    /// Looks at a view, and at those behind so many encodings more.
    fn at(&mut self, view: &View, encodings: usize) {
        let mut hasher = DefaultHasher::new();
        view.bytes.hash(&mut hasher);
        let hash = hasher.finish();
        if (encodings..=ENCODINGS_MAX).any(|encodings| self.seen.contains(&(hash, encodings))) {
            return;
        }
        self.seen.insert((hash, encodings));
        for range in url::passwords(&view.bytes) {
            self.found.add(view.place(&range));
        }
        let packed = view.packed();
        let forward = self.mask.forward();
        let has_cuts =
            forward.is_some_and(|secrets| search(secrets, &packed, self.end, &mut self.found));
        if (self.begins_cut || has_cuts)
            && let Some(secrets) = self.mask.backward()
        {
            search_after_cuts(secrets, &packed, self.begins_cut, &mut self.found);
        }
        if encodings == 0 {
            return;
        }
        for encoding in Encoding::ALL {
            if let Some(view) = encoding.undone(view, &packed) {
                self.at(&view, encodings - 1);
            }
        }
    }
}

/// A part of a text that begins at `from`, with `***` for each of the ranges that it shares with the
/// whole.
#[must_use]
pub(crate) fn replaced(part: &str, from: usize, ranges: &[Range<usize>]) -> String {
    let mut shown = String::with_capacity(part.len());
    let mut at = 0;
    for range in ranges {
        let start = range.start.saturating_sub(from).max(at);
        let end = range.end.saturating_sub(from).min(part.len());
        if start >= end {
            continue;
        }
        shown += &part[at..start];
        shown += MASKED;
        at = end;
    }
    shown + &part[at..]
}

#[cfg(test)]
mod tests;
