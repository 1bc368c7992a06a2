//! The target of an attempt.

use std::sync::Arc;

use crate::config::Model;

/// The target of an attempt.
#[derive(Debug, Clone)]
pub struct AttemptTarget {
    /// The entry of the model that does the work. Its price is charged.
    pub model: Arc<Model>,
    /// The provider.
    pub provider: String,
    /// The name of the key, if the provider has several.
    pub key: Option<String>,
}
