//! Query parameters of read requests. Unknown parameters are ignored.

use super::error::ApiError;
use crate::domain::text::printable;

/// The maximum length of a value in an error, in characters.
const MAX_SHOWN_VALUE: usize = 40;

/// Returns the value of a parameter, or `None` if it is absent or blank.
pub(super) fn single(query: &str, name: &str) -> Result<Option<String>, ApiError> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut values = pairs.filter(|(given, value)| given == name && !value.trim().is_empty());
    let Some((_, value)) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::invalid_parameter(name, "it was given more than once"));
    }
    Ok(Some(value.into_owned()))
}

/// Builds the error for an invalid value: the value, and the values allowed.
pub(super) fn invalid(name: &str, value: &str, what: &str) -> ApiError {
    let shown = printable(value, MAX_SHOWN_VALUE);
    ApiError::invalid_parameter(name, &format!("got '{shown}'; it {what}"))
}
