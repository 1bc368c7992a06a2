//! The frame around each page: its head, the contents at its side, and the search.

use pulldown_cmark::HeadingLevel;

use super::escape::escape;
use super::list::{GROUPS, Group, Page};
use super::markdown::Rendered;

const FRAME: &str = include_str!("page.html");

/// Returns the HTML of a page.
pub(super) fn page(page: &Page, rendered: &Rendered) -> String {
    let markdown = format!("/docs/{}.md", page.name);
    let alternate = format!("<link rel=\"alternate\" type=\"text/markdown\" href=\"{markdown}\">");
    let link = format!("<a href=\"{markdown}\" type=\"text/markdown\">This page as Markdown</a>");
    fill(&Parts {
        title: rendered.title(),
        about: page.about,
        alternate: &alternate,
        contents: &contents(Some((page, rendered))),
        article: &rendered.html,
        markdown: &link,
    })
}

/// Returns the HTML of a list of files.
pub(super) fn listing(rendered: &Rendered) -> String {
    fill(&Parts {
        title: rendered.title(),
        about: "Files of the repository.",
        alternate: "",
        contents: &contents(None),
        article: &rendered.html,
        markdown: "",
    })
}

struct Parts<'a> {
    title: &'a str,
    about: &'a str,
    alternate: &'a str,
    contents: &'a str,
    article: &'a str,
    markdown: &'a str,
}

fn fill(parts: &Parts<'_>) -> String {
    let frame = FRAME.replace("{title}", &escape(parts.title)).replace("{about}", &escape(parts.about));
    let frame = frame.replace("{alternate}", parts.alternate).replace("{markdown}", parts.markdown);
    // The last ones: a page's own braces are no placeholders.
    frame.replace("{contents}", parts.contents).replace("{article}", parts.article)
}

/// Returns the list of all pages, with the chapters of the current one.
fn contents(current: Option<(&Page, &Rendered)>) -> String {
    let groups: Vec<_> = GROUPS.iter().map(|group| contents_of(group, current)).collect();
    groups.concat()
}

fn contents_of(group: &Group, current: Option<(&Page, &Rendered)>) -> String {
    let items = group.pages.iter().map(|page| {
        let here = current.filter(|(one, _)| one.name == page.name);
        let mark = if here.is_some() { " aria-current=\"page\"" } else { "" };
        let chapters = here.map(|(_, rendered)| chapters(rendered)).unwrap_or_default();
        format!("<li><a href=\"/docs/{}\"{mark}>{}</a>{chapters}</li>\n", page.name, escape(page.label))
    });
    format!("<p>{}</p>\n<ul>\n{}</ul>\n", group.title, items.collect::<Vec<_>>().concat())
}

fn chapters(rendered: &Rendered) -> String {
    let chapters = rendered.sections.iter().filter(|section| section.level == HeadingLevel::H2);
    let items = chapters
        .map(|section| format!("<li><a href=\"#{}\">{}</a></li>\n", escape(&section.anchor), escape(&section.heading)));
    let items = items.collect::<Vec<_>>().concat();
    if items.is_empty() { items } else { format!("\n<ul>\n{items}</ul>\n") }
}
