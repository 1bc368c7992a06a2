//! The user's folder for what a program keeps between two runs.

use std::path::PathBuf;

use super::environment::variable;

/// The name of this program's folder in it.
const OWN: &str = "voxgate";

/// Returns the folder of this program; `None` if the environment names no home.
pub(super) fn state_folder() -> Option<PathBuf> {
    // A relative path is to be ignored, says the XDG Base Directory Specification.
    let given = variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = || {
        let below = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/state" };
        Some(PathBuf::from(variable("HOME")?).join(below))
    };
    Some(given.or_else(usual)?.join(OWN))
}
