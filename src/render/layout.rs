//! What text is laid out for, and lines that are broken to fit.

use unicode_width::UnicodeWidthStr;

use crate::base::visible::visible;
use crate::base::zone::Zone;

/// What text is laid out for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Columns.
    pub(crate) width: u16,
    /// Whether characters outside of ASCII may be used to draw with.
    pub(crate) unicode: bool,
    /// Whether tables have colours. Other text always has styles, which the terminal removes
    /// where they are not wanted.
    pub(crate) colour: bool,
    /// In which zone times are written.
    pub(crate) zone: Zone,
}

impl Layout {
    /// A sentence on as many lines as it needs, control characters escaped.
    pub(crate) fn fold(&self, text: &str) -> String {
        let lines = fold(&visible(text), usize::from(self.width).saturating_sub(2));
        lines.join("\n  ") + "\n"
    }

    /// The parts on as few lines as their width allows, each whole.
    pub(crate) fn flow(&self, parts: &[&str]) -> String {
        let mut text = String::new();
        let mut used = 0;
        for part in parts {
            let width = part.width();
            if used > 0 && used + 1 + width > usize::from(self.width) {
                text.push_str("\n  ");
                used = 2;
            } else if used > 0 {
                text.push(' ');
                used += 1;
            }
            text.push_str(part);
            used += width;
        }
        text + "\n"
    }
}

/// Text in lines of at most `width` columns, broken between words; a longer word stays whole.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_folded_between_words() {
        assert_eq!(fold("one two  three", 7), ["one two", "three"]);
        assert_eq!(fold("a-very-long-word 日本 日本", 8), ["a-very-long-word", "日本", "日本"]);
        assert_eq!(fold("", 8), [] as [&str; 0]);
    }
}
