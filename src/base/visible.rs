//! Makes text from outside safe to show: on one line, without characters that hide, move or colour.

use unicode_width::UnicodeWidthChar;

/// How many characters of a name are quoted.
const QUOTED_MAX: usize = 64;

/// Whether a character is not seen, and can make a text look like another: directions, joiners and
/// marks without width.
pub(crate) fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes one character visibly, so that it has no other effect, and returns how many columns it
/// takes.
pub(crate) fn write_visible(line: &mut String, c: char, tab: char) -> usize {
    let from = line.len();
    match c {
        '\t' => line.push(tab),
        c if c.is_control() || is_hidden(c) => line.extend(c.escape_default()),
        c => {
            line.push(c);
            return c.width().unwrap_or(0);
        }
    }
    line.len() - from
}

/// The text on one line, with invisible characters escaped.
#[must_use]
pub(crate) fn visible(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        write_visible(&mut line, c, ' ');
    }
    line
}

/// A name from the document for use in a message: between backticks, cut to 64 characters, with
/// invisible characters escaped.
pub(crate) fn quote(text: &str) -> String {
    format!("`{}`", brief(text))
}

/// The same without backticks.
pub(crate) fn brief(text: &str) -> String {
    let cut = text.char_indices().nth(QUOTED_MAX).map_or(text.len(), |(at, _)| at);
    let ellipsis = if cut < text.len() { "…" } else { "" };
    format!("{}{ellipsis}", visible(&text[..cut]))
}

/// Names for use in a message, the first ten.
pub(crate) fn quote_list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names = names.into_iter();
    let mut list: Vec<String> = names.by_ref().take(10).map(quote).collect();
    if names.next().is_some() {
        list.push("…".to_owned());
    }
    list.join(", ")
}
