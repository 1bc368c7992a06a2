//! All documents below `/docs/` but the API page, made when the first of them is asked for.

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;

use super::markdown::{self, Rendered};
use super::{files, layout, list, llms, search};
use crate::http::handlers::document::Document;

const HTML: &str = "text/html; charset=utf-8";
const MARKDOWN: &str = "text/markdown; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The style of the pages, with the colours of the console.
const STYLE: &str = concat!(include_str!("../../console/colors.css"), include_str!("page.css"));

/// The documents.
pub(super) struct Site {
    /// By the address below `/docs/`.
    documents: HashMap<String, Document>,
    pub(super) llms: Document,
}

pub(super) static SITE: LazyLock<Site> = LazyLock::new(Site::build);

impl Site {
    /// Returns the document at an address below `/docs/`.
    pub(super) fn document(&self, name: &str) -> Option<&Document> {
        self.documents.get(name)
    }

    fn build() -> Self {
        let rendered: HashMap<&str, Rendered> =
            list::all().map(|page| (page.name, markdown::render(page.path, page.text))).collect();
        let with_rendered = || list::all().filter_map(|page| Some((page, rendered.get(page.name)?)));
        let mut site = Self { documents: HashMap::new(), llms: Document::new(PLAIN, llms::list()) };
        for (page, rendered) in with_rendered() {
            site.add(page.name, HTML, layout::page(page, rendered));
            site.add(&format!("{}.md", page.name), MARKDOWN, rendered.markdown.clone());
        }
        for folder in files::folders() {
            // The links of a list start in the folder.
            let listing = markdown::render(&format!("{folder}/"), &files::listing(folder));
            site.add(&format!("files/{folder}"), HTML, layout::listing(&listing));
        }
        for file in files::TEXTS {
            site.add(&format!("files/{}", file.path), PLAIN, file.bytes);
        }
        for file in files::PICTURES {
            site.add(file.path.strip_prefix("docs/").unwrap_or(file.path), "image/png", file.bytes);
        }
        site.add("search.json", "application/json", search::index(with_rendered()));
        site.add("page.css", "text/css; charset=utf-8", STYLE);
        site.add("page.js", SCRIPT, include_str!("page.js"));
        site.add("search.js", SCRIPT, include_str!("search.js"));
        site.add("icon.svg", "image/svg+xml", include_str!("../../console/icon.svg"));
        site
    }

    fn add(&mut self, name: &str, content_type: &'static str, body: impl Into<Bytes>) {
        self.documents.insert(name.to_owned(), Document::new(content_type, body));
    }
}
