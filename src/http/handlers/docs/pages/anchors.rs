//! The anchors of headings, as GitHub makes them: the same link works there and here.

use std::collections::HashSet;

/// The anchors of one page so far.
#[derive(Debug, Default)]
pub(super) struct Anchors(HashSet<String>);

impl Anchors {
    /// Returns the anchor of the next heading: its letters and digits in lower case, with hyphens for spaces, and a number
    /// after a heading that the page has had before.
    pub(super) fn next(&mut self, heading: &str) -> String {
        let lower = heading.trim().to_lowercase();
        let kept = lower.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        let plain: String = kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
        let numbered = (1..=self.0.len()).map(|number| format!("{plain}-{number}"));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|anchor| !self.0.contains(anchor));
        let anchor = free.unwrap_or(plain);
        self.0.insert(anchor.clone());
        anchor
    }
}
