//! The pictures of the pages, and the files of the repository that the pages link to.

use std::collections::BTreeSet;

/// A file of the repository.
pub(super) struct File {
    /// The path in the repository.
    pub(super) path: &'static str,
    pub(super) bytes: &'static [u8],
}

/// Embeds files by their paths in the repository.
macro_rules! files {
    ($($path:literal),+ $(,)?) => {
        &[$(File { path: $path, bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)) }),+]
    };
}

/// The pictures.
pub(super) static PICTURES: &[File] = files![
    "docs/images/console-360-dark.png",
    "docs/images/console-360.png",
    "docs/images/console-dark.png",
    "docs/images/console-live.png",
    "docs/images/console.png",
    "docs/images/operator-360.png",
    "docs/images/operator.png",
];

/// The other files that pages link to, by themselves or by their folders.
pub(super) static TEXTS: &[File] = files![
    ".env.example",
    ".github/workflows/release.yml",
    "LICENSE",
    "deny.toml",
    "deploy/compose/local.env",
    "deploy/compose/local.toml",
    "deploy/compose/no_key",
    "deploy/compose/operator.yml",
    "deploy/compose/voxgate.toml",
    "deploy/grafana/provisioning/dashboards/voxgate.yml",
    "deploy/grafana/provisioning/datasources/prometheus.yml",
    "deploy/grafana/voxgate.json",
    "deploy/kubernetes/configmap.yaml",
    "deploy/kubernetes/deployment.yaml",
    "deploy/kubernetes/horizontalpodautoscaler.yaml",
    "deploy/kubernetes/kustomization.yaml",
    "deploy/kubernetes/networkpolicy.yaml",
    "deploy/kubernetes/poddisruptionbudget.yaml",
    "deploy/kubernetes/podmonitor.yaml",
    "deploy/kubernetes/prometheus-adapter.yaml",
    "deploy/kubernetes/secret.example.yaml",
    "deploy/kubernetes/service.yaml",
    "deploy/kubernetes/serviceaccount.yaml",
    "deploy/lambda/Dockerfile",
    "deploy/lambda/template.yaml",
    "deploy/local/requirements.txt",
    "deploy/local/run.py",
    "deploy/local/run.sh",
    "deploy/local/speech_server/__init__.py",
    "deploy/local/speech_server/__main__.py",
    "deploy/local/speech_server/answers.py",
    "deploy/local/speech_server/client_stream.py",
    "deploy/local/speech_server/forms.py",
    "deploy/local/speech_server/models.py",
    "deploy/local/speech_server/recogniser.py",
    "deploy/local/speech_server/refusal.py",
    "deploy/local/speech_server/server.py",
    "deploy/local/tied.py",
    "deploy/local/voxgate.toml",
    "deploy/nextjs/.env.example",
    "deploy/nextjs/.gitignore",
    "deploy/nextjs/.npmrc",
    "deploy/nextjs/app/api/voxgate/session/route.ts",
    "deploy/nextjs/app/api/voxgate/transcribe/route.ts",
    "deploy/nextjs/app/layout.tsx",
    "deploy/nextjs/app/page.tsx",
    "deploy/nextjs/lib/current-user.ts",
    "deploy/nextjs/lib/gateway.ts",
    "deploy/nextjs/lib/passed.ts",
    "deploy/nextjs/lib/refusal.ts",
    "deploy/nextjs/lib/transcribe.ts",
    "deploy/nextjs/lib/visitor.ts",
    "deploy/nextjs/next.config.ts",
    "deploy/nextjs/package.json",
    "deploy/nextjs/tsconfig.json",
    "deploy/prometheus/alerts.test.yml",
    "deploy/prometheus/alerts.yml",
    "deploy/prometheus/prometheus.yml",
    "deploy/systemd/voxgate.env.example",
    "deploy/systemd/voxgate.service",
    "deploy/zeabur/template.yaml",
    "docker-compose.yml",
    "voxgate.example.toml",
];

/// Returns the folders of these files, such as `deploy/grafana` and `deploy/grafana/provisioning`.
pub(super) fn folders() -> BTreeSet<&'static str> {
    let ends = |path: &'static str| path.match_indices('/').filter_map(move |(end, _)| path.get(..end));
    TEXTS.iter().flat_map(|file| ends(file.path)).collect()
}

/// Returns the Markdown of a page that lists the files of a folder.
pub(super) fn listing(folder: &str) -> String {
    let within = TEXTS.iter().filter_map(|file| file.path.strip_prefix(folder)?.strip_prefix('/'));
    let items: Vec<_> = within.map(|path| format!("- [{path}]({path})\n")).collect();
    format!("# {folder}\n\n{}", items.concat())
}
