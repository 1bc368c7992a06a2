//! The addresses of pages and files, and the links between them.

use super::{files, list};

/// The form in which a page is read, which its links lead on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Html,
    Markdown,
}

impl Form {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Html => "",
            Self::Markdown => ".md",
        }
    }
}

/// Returns the address at which the gateway serves a file or a folder of the repository.
pub(super) fn of(path: &str, form: Form) -> Option<String> {
    if let Some(page) = list::all().find(|page| page.path == path) {
        return Some(format!("/docs/{}{}", page.name, form.suffix()));
    }
    if path == "openapi.yaml" {
        return Some("/openapi.yaml".to_owned());
    }
    if files::PICTURES.iter().any(|file| file.path == path) {
        return Some(format!("/{path}"));
    }
    let is_served = files::TEXTS.iter().any(|file| file.path == path) || files::folders().contains(path);
    is_served.then(|| format!("/docs/files/{path}"))
}

/// Returns the address for a link in the file `from`, or nothing if the link stays as it is: it leads to another site, or to
/// a heading of the same page.
pub(super) fn of_link(from: &str, link: &str, form: Form) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") || link.starts_with('#') {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let address = of(&joined(from, path), form)?;
    Some(anchor.map_or(address.clone(), |anchor| format!("{address}#{anchor}")))
}

/// Returns the path of a link in the file `from`, from the root of the repository.
fn joined(from: &str, link: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}
