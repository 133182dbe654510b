//! Links between pages lead somewhere.

use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::markdown::{Page, files, pages};
use crate::support::root;

/// The path in the repository that a link on a page means, and the anchor there.
fn target(page: &Page, link: &str) -> Result<(PathBuf, Option<String>), String> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(p, a)| (p, Some(a)));
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let anchor = anchor.map(decode);
    if path.is_empty() {
        return Ok((PathBuf::from(&page.name), anchor));
    }
    let mut found = Path::new(&page.name).parent().unwrap().to_path_buf();
    for part in Path::new(&decode(path)).components() {
        match part {
            Component::Normal(name) => found.push(name),
            Component::CurDir => {}
            Component::ParentDir if found.pop() => {}
            _ => return Err("leaves the repository".to_owned()),
        }
    }
    Ok((found, anchor))
}

/// Why a link on a page leads nowhere.
fn problem(page: &Page, link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = match target(page, link) {
        Ok(found) => found,
        Err(problem) => return Some(problem),
    };
    let is_here = path == Path::new(&page.name);
    if !is_here && !root().join(&path).exists() {
        return Some(format!("{} does not exist", path.display()));
    }
    let anchor = anchor?;
    let path = path.to_str().unwrap();
    if !path.ends_with(".md") {
        return Some(format!("{path} has no anchors"));
    }
    let anchors = if is_here { page.anchors() } else { Page::read(path).anchors() };
    (!anchors.contains(&anchor)).then(|| format!("{path} has no #{anchor}, only {anchors:?}"))
}

#[test]
fn links_lead_somewhere() {
    let pages: Vec<Page> = files("").iter().map(|name| Page::read(name)).collect();
    assert!(pages.iter().any(|page| page.name == "perf/peers/README.md"));
    let mut count = 0;
    for page in &pages {
        for link in page.links() {
            let problem = problem(page, &link);
            assert_eq!(problem, None, "{} links to {link}", page.name);
            count += 1;
        }
    }
    assert!(count > 60, "{count}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let text =
        "# Here\n\n[a](#here) [b](../README.md#a-tour) [c](../fixtures/traffic) <https://x.y>\n";
    let page = |text: &str| Page { name: "docs/new.md".to_owned(), text: text.to_owned() };
    let fine = page(text);
    let links = fine.links();
    assert_eq!(links.len(), 4);
    assert!(links.iter().all(|link| problem(&fine, link).is_none()), "{links:?}");
    for bad in [
        "[x](#there)",
        "[x](README.md#Documentation)",
        "[x](../README.md#workflow)",
        "[x](nowhere.md)",
        "![x](picture.png)",
        "[x](/README.md)",
        "[x](../../README.md)",
        "[x](../LICENSE-MIT#mit)",
        "[x](http://example.org)",
        "[x][undefined]",
        "[x]: nowhere.md\n\n[x]",
    ] {
        let page = page(&format!("# Here\n\n{bad}\n"));
        let links = page.links();
        assert_eq!(links.len(), 1, "{bad}");
        assert!(problem(&page, &links[0]).is_some(), "{bad}");
    }
}

#[test]
fn each_page_is_in_the_index_and_the_index_in_readme() {
    let leads_to = |from: &str, to: &str| {
        let page = Page::read(from);
        let links = page.links();
        links
            .iter()
            .filter_map(|link| target(&page, link).ok())
            .any(|(path, _)| path == Path::new(to))
    };
    assert!(leads_to("README.md", "docs/README.md"));
    for page in pages().iter().skip(1).filter(|page| page.name != "docs/README.md") {
        assert!(leads_to("docs/README.md", &page.name), "docs/README.md lacks {}", page.name);
    }
}
