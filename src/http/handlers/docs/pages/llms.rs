//! `/llms.txt`: the list of all pages as Markdown, for programs that read the documentation (<https://llmstxt.org>).

use super::list::{GROUPS, Page};

const HEAD: &str = "\
# Voxgate

> An HTTP gateway for speech-to-text. It keeps the provider's API key on the server: clients send recordings with a token of
> their own and get transcripts as JSON, text, subtitles or server-sent events, within the limits of their plan.

Clients use OpenAI's protocol for transcriptions. Each page below is Markdown; without `.md` at its end, the address serves
the same page as HTML.
";

const API: &str = "\
## API

- [openapi.yaml](/openapi.yaml): Every route, option, answer and error, as OpenAPI 3.1.
- [voxgate.example.toml](/docs/files/voxgate.example.toml): Every setting, with its default and its meaning.
";

/// Returns the list.
pub(super) fn list() -> String {
    let groups = GROUPS.iter().map(|group| {
        let items: Vec<_> = group.pages.iter().map(item).collect();
        format!("## {}\n\n{}", group.title, items.concat())
    });
    let parts: Vec<_> = [HEAD.to_owned(), API.to_owned()].into_iter().chain(groups).collect();
    parts.join("\n")
}

fn item(page: &Page) -> String {
    format!("- [{}](/docs/{}.md): {}\n", page.label, page.name, page.about)
}
