//! The Markdown pages of the repository, as GitHub reads them.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::support::root;

/// A page, or a section of one.
pub(super) struct Page {
    /// Its path in the repository.
    pub(super) name: String,
    pub(super) text: String,
}

/// A block of code.
pub(super) struct Block {
    /// The words behind the opening fence; none of a block that is only indented.
    pub(super) language: String,
    pub(super) code: String,
    /// The nearest heading above, with its marks.
    pub(super) heading: String,
}

struct Heading {
    level: usize,
    title: String,
    start: usize,
    end: usize,
}

impl Page {
    /// Reads a page by its path in the repository.
    pub(super) fn read(name: &str) -> Self {
        let text = fs::read_to_string(root().join(name));
        Self { name: name.to_owned(), text: text.unwrap_or_else(|e| panic!("{name}: {e}")) }
    }

    fn parser(&self) -> Parser<'_> {
        let options =
            Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
        Parser::new_ext(&self.text, options)
    }

    fn headings(&self) -> Vec<Heading> {
        let mut found: Vec<Heading> = Vec::new();
        let mut is_inside = false;
        for (event, range) in self.parser().into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    is_inside = true;
                    let (level, title) = (level as usize, String::new());
                    found.push(Heading { level, title, start: range.start, end: range.end });
                }
                Event::End(TagEnd::Heading(_)) => is_inside = false,
                Event::Text(text) | Event::Code(text) if is_inside => {
                    found.last_mut().unwrap().title.push_str(&text);
                }
                Event::SoftBreak if is_inside => found.last_mut().unwrap().title.push(' '),
                _ => {}
            }
        }
        found
    }

    /// What is below a heading (`## Title`), up to the next one of its level or above.
    pub(super) fn section(&self, heading: &str) -> Self {
        let headings = self.headings();
        let at = headings.iter().position(|found| found.marked() == heading);
        let at = at.unwrap_or_else(|| panic!("{} has no heading {heading:?}", self.name));
        let rest = headings[at + 1..].iter();
        let next = rest.into_iter().find(|next| next.level <= headings[at].level);
        let end = next.map_or(self.text.len(), |next| next.start);
        Self { name: self.name.clone(), text: self.text[headings[at].end..end].to_owned() }
    }

    /// All blocks of code, in order.
    pub(super) fn all_blocks(&self) -> Vec<Block> {
        let headings = self.headings();
        let mut found: Vec<Block> = Vec::new();
        let mut is_inside = false;
        for (event, range) in self.parser().into_offset_iter() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    is_inside = true;
                    let language = match kind {
                        CodeBlockKind::Fenced(language) => language.trim().to_owned(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    let above = headings.iter().rev().find(|heading| heading.end <= range.start);
                    let heading = above.map(Heading::marked).unwrap_or_default();
                    found.push(Block { language, code: String::new(), heading });
                }
                Event::End(TagEnd::CodeBlock) => is_inside = false,
                Event::Text(text) if is_inside => found.last_mut().unwrap().code.push_str(&text),
                _ => {}
            }
        }
        found
    }

    /// The blocks of a language.
    pub(super) fn blocks(&self, language: &str) -> Vec<String> {
        let all = self.all_blocks().into_iter().filter(|block| block.language == language);
        all.map(|block| block.code).collect()
    }

    /// What stands in the text as code, not in blocks.
    pub(super) fn code_spans(&self) -> Vec<String> {
        let code = |event| match event {
            Event::Code(text) => Some(text.into_string()),
            _ => None,
        };
        self.parser().filter_map(code).collect()
    }

    /// Where links and images lead. A reference that is not defined leads to itself.
    pub(super) fn links(&self) -> Vec<String> {
        let undefined = |link: pulldown_cmark::BrokenLink<'_>| {
            let is_link = matches!(
                link.link_type,
                pulldown_cmark::LinkType::Reference | pulldown_cmark::LinkType::Collapsed
            );
            let target = format!("[{}]", link.reference);
            is_link.then(|| (target.into(), "".into()))
        };
        let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES;
        let parser = Parser::new_with_broken_link_callback(&self.text, options, Some(undefined));
        let target = |event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some(dest_url.into_string())
            }
            _ => None,
        };
        parser.filter_map(target).collect()
    }

    /// What its headings are linked to by.
    pub(super) fn anchors(&self) -> Vec<String> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut anchors = Vec::new();
        for heading in self.headings() {
            let anchor = anchor(&heading.title);
            let count = seen.entry(anchor.clone()).or_default();
            anchors.push(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
            *count += 1;
        }
        anchors
    }
}

impl Heading {
    fn marked(&self) -> String {
        format!("{} {}", "#".repeat(self.level), self.title)
    }
}

/// What GitHub makes of a title.
fn anchor(title: &str) -> String {
    let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    title.to_lowercase().chars().filter(is_kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The Markdown files below a folder of the repository, sorted; not those that are built.
pub(super) fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = Path::new(folder).join(&name).to_str().unwrap().to_owned();
        if entry.file_type().unwrap().is_dir() {
            if name != "target" && !name.starts_with('.') {
                found.extend(files(&path));
            }
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// README and all pages below `docs`: each command in them is run.
pub(super) fn pages() -> Vec<Page> {
    let pages = files("docs");
    assert!(pages.len() > 6, "{pages:?}");
    let names = ["README.md".to_owned()].into_iter().chain(pages);
    names.map(|name| Page::read(&name)).collect()
}

#[test]
fn anchors_are_those_of_github() {
    let text = "# A `wfx list`, told: 5 % of x_y-z\n\n## Same\n\n```sh\n# no heading\n```\n\n\
                Same\n----\n\n## [Linked](a.md) *Élan*\n";
    let page = Page { name: String::new(), text: text.to_owned() };
    assert_eq!(page.anchors(), ["a-wfx-list-told-5--of-x_y-z", "same", "same-1", "linked-élan"]);
}
