//! fallbacks
