//! Parameters of the query of a request that reads. Those that no handler asks for are not looked at.

use super::error::ApiError;

/// How much of a value an error shows, in characters.
const MAX_SHOWN_VALUE: usize = 40;

/// The value of a parameter; one that is blank counts as left out.
pub(super) fn single(query: &str, name: &str) -> Result<Option<String>, ApiError> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut values = pairs.filter(|(given, value)| given == name && !value.trim().is_empty());
    let Some((_, value)) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::invalid_parameter(name, "it was given more than once"));
    }
    Ok(Some(value.into_owned()))
}

/// A value that a parameter does not take: what came, and what is right.
pub(super) fn invalid(name: &str, value: &str, what: &str) -> ApiError {
    let shown: String = value.chars().filter(|c| !c.is_control()).take(MAX_SHOWN_VALUE).collect();
    ApiError::invalid_parameter(name, &format!("got '{shown}'; it {what}"))
}
