//! The index that the search of the pages reads, `/docs/search.json`: the sections of all pages, as plain text.

use serde::Serialize;

use super::list::Page;
use super::markdown::Rendered;

/// The most letters of a section's text in the index.
pub(super) const MAX_SECTION_TEXT: usize = 12_000;

#[derive(Serialize)]
struct Entry<'a> {
    /// The title of the page.
    page: &'a str,
    heading: &'a str,
    address: String,
    text: String,
}

/// Returns the index as JSON.
pub(super) fn index<'a>(pages: impl Iterator<Item = (&'a Page, &'a Rendered)>) -> String {
    let entries: Vec<_> = pages.flat_map(|(page, rendered)| entries(page, rendered)).collect();
    serde_json::json!({ "sections": entries }).to_string()
}

fn entries<'a>(page: &'a Page, rendered: &'a Rendered) -> impl Iterator<Item = Entry<'a>> {
    rendered.sections.iter().enumerate().map(move |(at, section)| {
        // The first section is the page itself.
        let anchor = if at == 0 { String::new() } else { format!("#{}", section.anchor) };
        let words: Vec<_> = section.text.split_whitespace().collect();
        Entry {
            page: rendered.title(),
            heading: &section.heading,
            address: format!("/docs/{}{anchor}", page.name),
            text: words.join(" ").chars().take(MAX_SECTION_TEXT).collect(),
        }
    })
}
