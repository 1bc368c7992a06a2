//! Voxgate: an HTTP gateway that puts speech-to-text into a product without putting the provider's key in a browser.
#![cfg_attr(not(test), warn(missing_docs))]

pub mod units;
