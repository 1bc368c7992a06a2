//! A page's Markdown as HTML and as sections of plain text, with links that lead to the gateway's own addresses.

use std::ops::Range;

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

use super::address::{self, Form};
use super::anchors::Anchors;
use super::escape::escape;

/// A page as it is served.
pub(super) struct Rendered {
    pub(super) html: String,
    pub(super) markdown: String,
    pub(super) sections: Vec<Section>,
}

impl Rendered {
    /// Returns the title: the first heading.
    pub(super) fn title(&self) -> &str {
        self.sections.first().map_or("", |section| &section.heading)
    }
}

/// A heading and the text below it, up to the next heading.
pub(super) struct Section {
    pub(super) level: HeadingLevel,
    pub(super) heading: String,
    pub(super) anchor: String,
    pub(super) text: String,
}

/// Renders the Markdown in the file at `path`.
pub(super) fn render(path: &str, text: &str) -> Rendered {
    let mut renderer = Renderer::new(path, text);
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        renderer.add(event, range);
    }
    renderer.finish()
}

struct Renderer<'a> {
    path: &'a str,
    source: &'a str,
    events: Vec<Event<'a>>,
    /// The place of the open heading's first event.
    heading: Option<usize>,
    anchors: Anchors,
    sections: Vec<Section>,
    /// The links of the Markdown that get other addresses.
    edits: Vec<Edit>,
}

/// A link's address in the Markdown, and what replaces it.
struct Edit {
    range: Range<usize>,
    address: String,
}

impl<'a> Renderer<'a> {
    fn new(path: &'a str, source: &'a str) -> Self {
        Self {
            path,
            source,
            events: Vec::new(),
            heading: None,
            anchors: Anchors::default(),
            sections: Vec::new(),
            edits: Vec::new(),
        }
    }

    fn add(&mut self, event: Event<'a>, range: Range<usize>) {
        self.add_text(&event);
        match event {
            Event::Start(Tag::Heading { level, .. }) => self.begin_heading(level),
            Event::End(TagEnd::Heading(level)) => self.end_heading(level),
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let dest_url = self.address(dest_url, link_type, range);
                self.events.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
            }
            Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
                let dest_url = self.address(dest_url, link_type, range);
                self.events.push(Event::Start(Tag::Image { link_type, dest_url, title, id }));
            }
            Event::Start(Tag::Table(columns)) => self.begin_table(columns.len()),
            Event::End(TagEnd::Table) => {
                self.events.extend([Event::End(TagEnd::Table), Event::Html("</div>\n".into())]);
            }
            // The pages are Markdown alone, which the content security policy suits. Markup in them would be a mistake.
            Event::Html(text) | Event::InlineHtml(text) => self.events.push(Event::Text(text)),
            other => self.events.push(other),
        }
    }

    /// Adds what a reader sees of an event to the text of the section.
    fn add_text(&mut self, event: &Event<'_>) {
        let in_heading = self.heading.is_some();
        let Some(section) = self.sections.last_mut() else { return };
        let text = if in_heading { &mut section.heading } else { &mut section.text };
        match event {
            Event::Text(piece) | Event::Code(piece) => text.push_str(piece),
            Event::SoftBreak
            | Event::HardBreak
            | Event::End(TagEnd::Paragraph | TagEnd::TableCell | TagEnd::Item | TagEnd::CodeBlock) => text.push(' '),
            _ => {}
        }
    }

    fn begin_heading(&mut self, level: HeadingLevel) {
        self.heading = Some(self.events.len());
        self.sections.push(Section { level, heading: String::new(), anchor: String::new(), text: String::new() });
    }

    fn end_heading(&mut self, level: HeadingLevel) {
        let (Some(start), Some(section)) = (self.heading.take(), self.sections.last_mut()) else { return };
        section.anchor = self.anchors.next(&section.heading);
        let content = self.events.split_off(start);
        let id = Some(CowStr::from(section.anchor.clone()));
        let link = Event::Html(format!("<a href=\"#{}\">", escape(&section.anchor)).into());
        self.events.push(Event::Start(Tag::Heading { level, id, classes: Vec::new(), attrs: Vec::new() }));
        self.events.push(link);
        self.events.extend(content);
        self.events.extend([Event::Html("</a>".into()), Event::End(TagEnd::Heading(level))]);
    }

    /// A wide table scrolls by itself, so that the page does not.
    fn begin_table(&mut self, columns: usize) {
        let about = self.sections.last().map_or("", |section| &section.heading);
        let frame = format!("<div class=\"scroll\" role=\"group\" aria-label=\"Table: {}\">", escape(about));
        // Alignments would become inline styles, which the content security policy forbids.
        let columns = vec![pulldown_cmark::Alignment::None; columns];
        self.events.extend([Event::Html(frame.into()), Event::Start(Tag::Table(columns))]);
    }

    /// Returns the address for a link, and replaces it in the Markdown.
    fn address(&mut self, link: CowStr<'a>, kind: LinkType, range: Range<usize>) -> CowStr<'a> {
        if kind == LinkType::Inline
            && let Some(address) = address::of_link(self.path, &link, Form::Markdown)
            && let Some(written) = self.source.get(range.clone())
            && let Some(at) = written.rfind(&format!("]({link}"))
        {
            let start = range.start + at + 2;
            self.edits.push(Edit { range: start..start + link.len(), address });
        }
        address::of_link(self.path, &link, Form::Html).map_or(link, CowStr::from)
    }

    fn finish(mut self) -> Rendered {
        let mut html = String::new();
        html::push_html(&mut html, self.events.into_iter());
        // A head without text is no head of a column.
        let html = html.replace("<th></th>", "<td></td>");
        // A picture in a link comes after the link it is in, and before that link's address.
        self.edits.sort_by_key(|edit| edit.range.start);
        let (mut markdown, mut copied) = (String::new(), 0);
        for Edit { range, address } in self.edits {
            markdown.push_str(self.source.get(copied..range.start).unwrap_or_default());
            markdown.push_str(&address);
            copied = range.end;
        }
        markdown.push_str(self.source.get(copied..).unwrap_or_default());
        Rendered { html, markdown, sections: self.sections }
    }
}
