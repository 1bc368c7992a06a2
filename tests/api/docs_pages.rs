//! The documentation that the gateway serves: every link of every page is followed, as HTML and as Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag};
use reqwest::Method;

use crate::support::gateway::{Answer, Gateway};
use crate::support::repository;

async fn get(gateway: &Gateway, path: &str) -> Answer {
    gateway.send(gateway.request(Method::GET, path)).await
}

/// The values of an attribute in a page.
fn values<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    // Code on a page is text, in which each `<` is written in another way.
    let tags = html.split('<').skip(1).filter_map(|rest| rest.split('>').next());
    tags.filter_map(|tag| tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()).collect()
}

/// The addresses of pages that the gateway lists, as Markdown.
async fn listed(gateway: &Gateway) -> Vec<String> {
    let list = get(gateway, "/llms.txt").await;
    assert_eq!((list.status, list.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    links_of(list.text()).into_iter().filter(|link| link.starts_with("/docs/") && is_markdown(link)).collect()
}

fn links_of(markdown: &str) -> Vec<String> {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES);
    let addresses = events.filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    });
    addresses.collect()
}

fn is_markdown(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "md")
}

fn leads_elsewhere(link: &str) -> bool {
    link.starts_with("https://") || link.starts_with("http://")
}

#[tokio::test]
async fn every_link_of_every_page_is_there_with_its_anchor() {
    let gateway = Gateway::start().await;
    let (mut read, mut links) = (BTreeMap::<String, Answer>::new(), BTreeSet::new());
    let mut open: Vec<String> = listed(&gateway).await.iter().map(|page| page.replace(".md", "")).collect();
    assert!(open.len() > 20, "{open:?}");
    while let Some(path) = open.pop() {
        if read.contains_key(&path) {
            continue;
        }
        let page = get(&gateway, &path).await;
        assert_eq!(page.status, 200, "{path}");
        if page.header("content-type") == Some("text/html; charset=utf-8") && path != "/docs" {
            for link in values(page.text(), "href").into_iter().chain(values(page.text(), "src")) {
                if leads_elsewhere(link) {
                    continue;
                }
                let (to, anchor) = link.split_once('#').unwrap_or((link, ""));
                let to = if to.is_empty() { path.as_str() } else { to };
                assert!(to.starts_with('/'), "{path}: {link} is not an address of the gateway");
                links.insert((path.clone(), to.to_owned(), anchor.replace("&amp;", "&")));
                open.push(to.to_owned());
            }
        }
        read.insert(path, page);
    }
    for (from, to, anchor) in &links {
        let ids = values(std::str::from_utf8(&read[to].body).unwrap_or_default(), "id");
        assert!(anchor.is_empty() || ids.contains(&anchor.as_str()), "{from}: {to} has no #{anchor}");
    }
    let with_anchor = links.iter().filter(|(from, to, anchor)| from != to && !anchor.is_empty()).count();
    assert!(links.len() > 900 && with_anchor > 40, "{}, {with_anchor}", links.len());
}

#[tokio::test]
async fn every_link_of_the_markdown_is_there() {
    let gateway = Gateway::start().await;
    let mut links = BTreeSet::new();
    for page in listed(&gateway).await {
        let markdown = get(&gateway, &page).await;
        assert_eq!((markdown.status, markdown.header("content-type")), (200, Some("text/markdown; charset=utf-8")));
        for link in
            links_of(markdown.text()).into_iter().filter(|link| !leads_elsewhere(link) && !link.starts_with('#'))
        {
            assert!(link.starts_with('/'), "{page}: {link}");
            links.insert(link.split('#').next().unwrap().to_owned());
        }
    }
    for link in &links {
        assert_eq!(get(&gateway, link).await.status, 200, "{link}");
    }
    assert!(links.len() > 40, "{links:?}");
}

#[tokio::test]
async fn the_list_for_programs_has_every_page_and_the_contract() {
    let gateway = Gateway::start().await;
    let text = get(&gateway, "/llms.txt").await.text().to_owned();
    let mut lines = text.lines();
    assert_eq!((lines.next(), lines.next()), (Some("# Voxgate"), Some("")));
    assert!(lines.next().unwrap().starts_with("> "), "{text}");
    for item in text.lines().filter(|line| line.starts_with("- ")) {
        let parts = item.strip_prefix("- [").unwrap().split_once("](/").unwrap().1.split_once("): ");
        assert!(parts.is_some_and(|(_, about)| about.ends_with('.')), "{item}");
    }
    assert!(text.contains("](/openapi.yaml): "), "{text}");
    let listed: BTreeSet<_> = listed(&gateway).await.into_iter().collect();
    let folder =
        |name: &str| std::fs::read_dir(repository::path(name)).unwrap().map(|entry| entry.unwrap().file_name());
    let names = |name: &'static str, prefix: &'static str| {
        let names = folder(name).map(|name| name.into_string().unwrap()).filter(|name| is_markdown(name));
        names.map(move |name| format!("/docs/{prefix}{name}")).collect::<Vec<_>>()
    };
    let files = names("docs", "").into_iter().chain(names("docs/deploy", "deploy/"));
    let of_docs: Vec<_> = files.map(|name| name.replace("README", "contents")).collect();
    let elsewhere = ["readme", "changelog", "contributing", "security-policy", "browser-module"];
    let expected = of_docs.into_iter().chain(elsewhere.map(|name| format!("/docs/{name}.md"))).collect();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn pages_load_nothing_from_elsewhere_and_answer_head() {
    let gateway = Gateway::with(&[("VOXGATE_CONSOLE__ENABLED", "false")]).await;
    for (path, kind) in [
        ("/docs/contents", "text/html; charset=utf-8"),
        ("/docs/deploy/compose", "text/html; charset=utf-8"),
        ("/docs/limits.md", "text/markdown; charset=utf-8"),
        ("/docs/images/console.png", "image/png"),
        ("/docs/files/voxgate.example.toml", "text/plain; charset=utf-8"),
        ("/docs/files/deploy/grafana", "text/html; charset=utf-8"),
        ("/docs/search.json", "application/json"),
        ("/docs/page.css", "text/css; charset=utf-8"),
        ("/docs/page.js", "text/javascript; charset=utf-8"),
        ("/llms.txt", "text/plain; charset=utf-8"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer =
                gateway.send(gateway.request(method.clone(), path).header("origin", "https://a.example")).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{method} {path}");
            assert_eq!(answer.body.is_empty(), method == Method::HEAD, "{method} {path}");
            assert_eq!(
                answer.header("content-security-policy"),
                Some(
                    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                     base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                ),
                "{path}"
            );
            assert_eq!(answer.header("cache-control"), Some("no-cache"), "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        }
    }
    for path in
        ["/docs/nothing", "/docs/deploy", "/docs/files/Cargo.toml", "/docs/images/", "/docs/limits//", "/docs/%2e%2e/x"]
    {
        get(&gateway, path).await.is_error(404, "not_found", None);
    }
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let gateway = Gateway::start().await;
    for path in ["/docs", "/docs/contents", "/docs/limits", "/docs/deploy/compose", "/docs/files/deploy/grafana"] {
        let (plain, with_slash) = (get(&gateway, path).await, get(&gateway, &format!("{path}/")).await);
        assert_eq!((plain.status, with_slash.status), (200, 200), "{path}");
        assert_eq!(plain.body, with_slash.body, "{path}");
    }
}

#[tokio::test]
async fn a_document_that_the_client_has_is_not_sent_again() {
    let gateway = Gateway::start().await;
    let mut tags = BTreeSet::new();
    for path in [
        "/",
        "/console/console.js",
        "/voxgate.js",
        "/voxgate/live.js",
        "/openapi.yaml",
        "/docs",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-initializer.js",
        "/docs/contents",
        "/docs/limits.md",
        "/docs/search.json",
        "/llms.txt",
    ] {
        let whole = get(&gateway, path).await;
        let tag = whole.header("etag").unwrap_or_else(|| panic!("{path} has no tag")).to_owned();
        for (known, status) in [
            (tag.clone(), 304),
            (format!("\"other\", W/{tag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            for method in [Method::GET, Method::HEAD] {
                let request = gateway.request(method.clone(), path).header("if-none-match", &known);
                let answer = gateway.send(request).await;
                assert_eq!(answer.status, status, "{method} {path}: {known}");
                assert_eq!(answer.body.is_empty(), status == 304 || method == Method::HEAD, "{method} {path}: {known}");
                for name in ["etag", "cache-control", "content-security-policy", "cross-origin-resource-policy"] {
                    assert_eq!(answer.header(name), whole.header(name), "{method} {path}: {known}");
                }
            }
        }
        assert_eq!(whole.header("cache-control"), Some("no-cache"), "{path}");
        assert!(tags.insert(tag), "{path} has the tag of another");
    }
}

#[tokio::test]
async fn a_page_is_html_without_inline_code() {
    let gateway = Gateway::start().await;
    for page in listed(&gateway).await {
        let answer = get(&gateway, page.trim_end_matches(".md")).await;
        let html = answer.text();
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{page}");
        assert_eq!(html.matches("<h1 ").count(), 1, "{page}");
        assert_eq!(html.matches("<script").count(), 1, "{page}");
        for word in [" style=\"", "<style", " onclick=", "javascript:", "{article}", "{contents}", "{title}"] {
            assert!(!html.contains(word), "{page}: {word}");
        }
        assert!(html.contains(&format!("<a href=\"{page}\" type=\"text/markdown\">")), "{page}");
        let ids = values(html, "id");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{page}: {ids:?}");
    }
}

#[tokio::test]
async fn the_search_index_names_sections_that_are_there() {
    let gateway = Gateway::start().await;
    let index = get(&gateway, "/docs/search.json").await.json();
    let sections = index["sections"].as_array().unwrap();
    let mut pages = BTreeMap::<String, Answer>::new();
    for section in sections {
        let [address, heading, page] = ["address", "heading", "page"].map(|name| section[name].as_str().unwrap());
        assert!(!heading.is_empty() && !page.is_empty() && section["text"].is_string(), "{section}");
        let (path, anchor) = address.split_once('#').unwrap_or((address, ""));
        if !pages.contains_key(path) {
            pages.insert(path.to_owned(), get(&gateway, path).await);
        }
        let html = pages[path].text();
        assert!(anchor.is_empty() || values(html, "id").contains(&anchor), "{address}");
    }
    let has = |word: &str| sections.iter().any(|one| one["text"].as_str().unwrap().contains(word));
    assert!(sections.len() > 150 && has("voxgate_requests_total") && has("monthly_usd"), "{}", sections.len());
}
