//! Recordings that are cut, joined, damaged or hostile.
