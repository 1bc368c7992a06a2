//! wire_differences
