//! The files that a gateway has open.

use std::path::{Path, PathBuf};

use super::gateway::Gateway;
use super::poll::until;

/// Regular files that the process holds open, those of its store left out.
pub(crate) fn open_files(gateway: &Gateway) -> Vec<PathBuf> {
    let elsewhere = [Path::new("/dev"), Path::new("/proc"), gateway.setup().data()];
    let is_file = |path: &PathBuf| path.starts_with("/") && !elsewhere.iter().any(|place| path.starts_with(place));
    gateway.open_files().into_iter().filter(is_file).filter(|path| !is_log(path)).collect()
}

/// An operator's own redirection, where the tests themselves are run with one.
fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

/// Waits until the gateway has closed every spool, which happens on a worker's thread a moment after the answer.
pub(crate) async fn wait_until_closed(gateway: &Gateway) {
    until("no file is open", async || {
        let open = open_files(gateway);
        if open.is_empty() { Ok(()) } else { Err(format!("{open:?}")) }
    })
    .await;
    assert_eq!(gateway.spooled(), Vec::<PathBuf>::new());
}
