//! The variables of this process.

/// Returns a variable. An empty one counts as unset, as for the settings.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}
