//! The pages, in the order of the contents beside each page and of `llms.txt`.

/// A page: a Markdown file of the repository.
pub(super) struct Page {
    /// The address below `/docs/`; with `.md` that of the Markdown.
    pub(super) name: &'static str,
    /// The title in lists of pages.
    pub(super) label: &'static str,
    /// The path in the repository, from which the links of the page start.
    pub(super) path: &'static str,
    /// The content, in a few words.
    pub(super) about: &'static str,
    pub(super) text: &'static str,
}

/// Pages for one purpose.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) pages: &'static [Page],
}

/// Embeds Markdown files: name, label, path in the repository, content in a few words.
macro_rules! pages {
    ($($name:literal $label:literal = $path:literal: $about:literal),+ $(,)?) => {
        &[$(Page {
            name: $name,
            label: $label,
            path: $path,
            about: $about,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)),
        }),+]
    };
}

pub(super) static GROUPS: &[Group] = &[
    Group {
        title: "Start",
        pages: pages! {
            "contents" "Contents" = "docs/README.md": "The index of all pages, by task.",
            "readme" "README" = "README.md": "What Voxgate is, the first steps, and how to send audio.",
            "console" "Console" = "docs/console.md": "The console: record, send and read in a page, without code.",
        },
    },
    Group {
        title: "Send audio",
        pages: pages! {
            "command" "Command line" = "docs/command.md": "voxgate transcribe: recordings to transcripts, from the command line.",
            "requests" "Request formats" = "docs/requests.md": "Unusual requests: names, encodings, blank options.",
            "media" "Audio formats" = "docs/media.md":
                "Formats and codecs, and how the length of a recording is measured.",
            "long-audio" "Long recordings" = "docs/long-audio.md":
                "Recordings of some hours, and subtitles from models that give no times.",
            "live" "Live" = "docs/live.md": "Words while they are spoken: from a page, a phone, a shell.",
            "errors" "Errors" = "docs/errors.md": "Every error code, its meaning and its remedy.",
            "browser-module" "Browser module" = "client/README.md":
                "The browser module: record and transcribe in a web page of your own.",
        },
    },
    Group {
        title: "Configure",
        pages: pages! {
            "settings" "Settings" = "docs/settings.md":
                "Where settings come from, and how to change them while the gateway runs.",
            "tokens" "Tokens" = "docs/tokens.md":
                "Tokens: how to make, explain, limit and revoke them; sessions for end users.",
            "identity" "Identity providers" = "docs/identity.md":
                "Log-in by Auth0, Clerk, Supabase, Keycloak or Firebase.",
            "limits" "Limits and usage" = "docs/limits.md": "Plans: rate limits, budgets, charges and usage.",
            "providers" "Providers" = "docs/providers.md": "Providers, keys, failover, models and prices.",
            "https" "HTTPS and CORS" = "docs/https.md": "HTTPS, proxies, and pages of other origins (CORS).",
        },
    },
    Group {
        title: "Run",
        pages: pages! {
            "operations" "Operations" = "docs/operations.md":
                "Back-up, upgrade, proxies, and other tasks of an operator.",
            "observability" "Observability" = "docs/observability.md":
                "Metrics, logs, traces, probes, and the operator's page.",
            "local" "Local recogniser" = "docs/local.md":
                "make local: a real recogniser on this machine, without an account.",
            "performance" "Performance" = "docs/performance.md":
                "How much time and memory the gateway takes, as measured.",
            "scaling" "Scaling" = "docs/scaling.md": "How many gateways one Redis carries.",
            "security" "Security" = "docs/security.md": "Threats, the guard against each, and its tests.",
        },
    },
    Group {
        title: "Deploy",
        pages: pages! {
            "packages" "Packages" = "docs/packages.md":
                "Packages for pip, npm and Debian: how to build, install and verify them.",
            "deploy/compose" "Docker Compose" = "docs/deploy/compose.md": "Containers on one machine, with Redis.",
            "deploy/kubernetes" "Kubernetes" = "docs/deploy/kubernetes.md": "Manifests for Kubernetes.",
            "deploy/systemd" "systemd" = "docs/deploy/systemd.md": "A unit for one machine without containers.",
            "deploy/zeabur" "Zeabur" = "docs/deploy/zeabur.md": "A template for Zeabur.",
            "deploy/lambda" "AWS Lambda" = "docs/deploy/lambda.md": "The image as an AWS Lambda function.",
            "deploy/nextjs" "Next.js" = "docs/deploy/nextjs.md": "An application with Next.js in front of the gateway.",
        },
    },
    Group {
        title: "Project",
        pages: pages! {
            "changelog" "Changelog" = "CHANGELOG.md": "What changed in each version, and what an upgrade needs.",
            "architecture" "Architecture" = "docs/architecture.md":
                "The code: modules, layers, and the path of a request.",
            "contributing" "Contributing" = "CONTRIBUTING.md": "How to change the code and run the tests.",
            "security-policy" "Security policy" = "SECURITY.md": "How to report a vulnerability.",
        },
    },
];

/// Returns all pages, in order.
pub(super) fn all() -> impl Iterator<Item = &'static Page> {
    GROUPS.iter().flat_map(|group| group.pages)
}
