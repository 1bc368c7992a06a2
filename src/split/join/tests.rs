//! Examples of each format, and the laws that hold for any answers.

mod examples;
mod laws;
mod setup;
mod streams;
mod subtitles;
