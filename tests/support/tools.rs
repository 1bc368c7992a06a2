//! Programs that a test needs and a machine may not have.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Set to `1` where `tests/install-tools.sh` has run, as by `make test`.
pub(crate) const TOOLS: &str = "REQUIRE_TOOLS";

/// Set to `1` where `tests/install-tools.sh browser` has run, as by `make test-browser`.
pub(crate) const BROWSER: &str = "REQUIRE_BROWSER";

/// Finds a program or file: a path in this repository, or a name that is looked up in `.test-tools/bin` and in `PATH`.
///
/// If it is missing, a test fails where the variable `required_by` is `1`. Elsewhere it is skipped, and says so.
pub(crate) fn require_tool(tool: &str, required_by: &str) -> Option<PathBuf> {
    let found = find(tool);
    if found.is_none() {
        let is_required = std::env::var_os(required_by).is_some_and(|value| value == "1");
        assert!(!is_required, "{tool} is missing, and {required_by}=1 requires it: `make test-tools` installs it");
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        // Not by `eprintln!`: the test harness hides what a test prints that succeeds.
        let _ = writeln!(std::io::stderr(), "skipped: {test}: {tool} is missing; `make test-tools` installs it");
    }
    found
}

fn find(tool: &str) -> Option<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    if tool.contains('/') {
        return Some(repository.join(tool)).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(repository.join(".test-tools/bin")).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(tool)).find(|path| path.is_file())
}
