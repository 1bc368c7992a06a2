//! provider_keys
