use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::anchors::Anchors;
use super::{address, files, list, markdown, search, site::SITE};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder of the repository, by their paths from its root.
fn files_below(folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(repository().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                if entry.file_name() != "node_modules" && entry.file_name() != ".next" {
                    folders.push(path);
                }
            } else {
                found.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
fn each_file_of_docs_is_a_page_or_a_picture() {
    let served: BTreeSet<_> = list::all().map(|page| page.path).chain(files::PICTURES.iter().map(|f| f.path)).collect();
    let missing: Vec<_> = files_below("docs").into_iter().filter(|path| !served.contains(path.as_str())).collect();
    assert_eq!(missing, Vec::<String>::new(), "name them in list.rs or files.rs");
}

/// The list of a folder has all its files.
#[test]
fn each_file_of_a_linked_folder_is_served() {
    let served: HashSet<_> = files::TEXTS.iter().map(|file| file.path).collect();
    let linked = list::all().flat_map(|page| linked_folders(page.path, page.text)).collect::<BTreeSet<_>>();
    assert!(linked.len() >= 4, "{linked:?}");
    for folder in linked {
        // A lock file is for programs.
        let missing: Vec<_> = files_below(&folder)
            .into_iter()
            .filter(|path| !served.contains(path.as_str()) && !path.ends_with("package-lock.json"))
            .filter(|path| !path.ends_with("next-env.d.ts") && !path.ends_with(".tsbuildinfo"))
            .collect();
        assert_eq!(missing, Vec::<String>::new(), "name them in files.rs");
    }
}

fn linked_folders(path: &str, text: &str) -> Vec<String> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let below = |link: &str| repository().join(path).parent().unwrap().join(link).canonicalize().ok();
    let folders = links.filter_map(below).filter(|path| path.is_dir());
    folders.map(|path| path.strip_prefix(repository()).unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_page_has_a_name_of_its_own_and_a_title() {
    let names: HashSet<_> = list::all().map(|page| page.name).collect();
    assert_eq!(names.len(), list::all().count());
    assert!(names.contains("contents"));
    for page in list::all() {
        let rendered = markdown::render(page.path, page.text);
        assert!(!rendered.title().is_empty(), "{}", page.path);
        assert!(page.about.ends_with('.') && page.about.len() < 100, "{}", page.about);
        // A heading is a link to itself, and a link within a link is none.
        let headings = page.text.lines().filter(|line| line.starts_with('#') && line.contains("]("));
        assert_eq!(headings.count(), 0, "{}", page.path);
    }
}

#[test]
fn anchors_are_those_of_github() {
    let mut anchors = Anchors::default();
    for (heading, anchor) in [
        ("Rate limits, budgets and usage", "rate-limits-budgets-and-usage"),
        ("`POST /v1/sessions`: for end users", "post-v1sessions-for-end-users"),
        ("The operator's page", "the-operators-page"),
        ("A_b - c", "a_b---c"),
        ("Über 4 h", "über-4-h"),
        ("Errors", "errors"),
        ("Errors", "errors-1"),
        ("Errors 1", "errors-1-1"),
        ("Errors", "errors-2"),
    ] {
        assert_eq!(anchors.next(heading), anchor, "{heading}");
    }
}

#[test]
fn links_lead_to_where_the_gateway_serves_them() {
    use address::Form::{Html, Markdown};
    for (from, link, html, markdown) in [
        ("docs/limits.md", "errors.md#x", Some("/docs/errors#x"), Some("/docs/errors.md#x")),
        ("docs/limits.md", "../README.md", Some("/docs/readme"), Some("/docs/readme.md")),
        ("docs/deploy/compose.md", "../limits.md", Some("/docs/limits"), Some("/docs/limits.md")),
        ("README.md", "openapi.yaml", Some("/openapi.yaml"), Some("/openapi.yaml")),
        ("docs/console.md", "images/console.png", Some("/docs/images/console.png"), Some("/docs/images/console.png")),
        (
            "docs/observability.md",
            "../deploy/grafana",
            Some("/docs/files/deploy/grafana"),
            Some("/docs/files/deploy/grafana"),
        ),
        ("docs/limits.md", "#x", None, None),
        ("docs/limits.md", "https://example.com/a.md", None, None),
        ("docs/limits.md", "../../etc/passwd", None, None),
    ] {
        assert_eq!(address::of_link(from, link, Html).as_deref(), html, "{from}: {link}");
        assert_eq!(address::of_link(from, link, Markdown).as_deref(), markdown, "{from}: {link}");
    }
}

#[test]
fn markup_in_markdown_is_shown_and_not_obeyed() {
    let page = markdown::render(
        "docs/limits.md",
        "# A <b>\n\n<script>x</script>\n\na <img src=x onerror=y> b\n\n|a|\n|-:|\n|1|\n",
    );
    for tag in ["<script", "<img", "<b>", "style="] {
        assert!(!page.html.contains(tag), "{}", page.html);
    }
    assert!(page.html.contains("&lt;script&gt;x&lt;/script&gt;") && page.html.contains("<table>"), "{}", page.html);
}

#[test]
fn markdown_keeps_all_but_the_addresses_of_links() {
    let source = "# A\n\n[![Picture](images/console.png)](limits.md#b) and [x](../README.md), `[y](limits.md)`\n";
    let expected =
        "# A\n\n[![Picture](/docs/images/console.png)](/docs/limits.md#b) and [x](/docs/readme.md), `[y](limits.md)`\n";
    assert_eq!(markdown::render("docs/console.md", source).markdown, expected);
}

#[test]
fn the_index_of_the_search_has_every_section_and_is_bounded() {
    let index = SITE.document("search.json").unwrap();
    assert!((100_000..600_000).contains(&index.bytes.len()), "{}", index.bytes.len());
    let index: serde_json::Value = serde_json::from_slice(&index.bytes).unwrap();
    let sections = index["sections"].as_array().unwrap();
    for page in list::all() {
        for section in markdown::render(page.path, page.text).sections {
            let length = section.text.chars().count();
            assert!(length < search::MAX_SECTION_TEXT, "{}, {}: {length}", page.path, section.heading);
            let is_it = |one: &&serde_json::Value| {
                one["heading"] == section.heading.as_str()
                    && one["address"].as_str().unwrap().starts_with(&format!("/docs/{}", page.name))
            };
            assert!(sections.iter().any(|one| is_it(&one)), "{}: {}", page.path, section.heading);
        }
    }
}

/// The policy would stop inline code. Markup that a script makes of texts is not in its way.
#[test]
fn the_scripts_make_no_markup_of_texts() {
    for script in ["page.js", "search.js"] {
        let script = std::str::from_utf8(&SITE.document(script).unwrap().bytes).unwrap();
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage"] {
            assert!(!script.contains(word), "{word}");
        }
    }
}
