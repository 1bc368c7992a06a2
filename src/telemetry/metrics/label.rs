//! The values of labels: from this source, from the settings, or a number of three digits; never a client's own words.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use crate::config::Model;

/// The value of a label. It is as cheap as a pointer: what comes from the settings is kept once for as long as the process
/// lives, as the series that it names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label(&'static str);

static KNOWN: RwLock<BTreeSet<&'static str>> = RwLock::new(BTreeSet::new());

thread_local! {
    /// Those that this thread has used, so that workers do not wait for each other.
    static USED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

impl Label {
    /// The model of requests that did not come so far as to have one.
    pub const NO_MODEL: Self = Self("none");

    /// A word of this source.
    pub const fn fixed(word: &'static str) -> Self {
        Self(word)
    }

    /// A name out of the settings. Nothing else may be given here: it is never forgotten.
    pub fn configured(name: &str) -> Self {
        // A thread that ends has nothing of its own any more.
        let used = USED.try_with(|used| used.borrow().get(name).copied());
        if let Ok(Some(used)) = used {
            return Self(used);
        }
        let kept = kept(name);
        let _ = USED.try_with(|used| used.borrow_mut().insert(kept));
        Self(kept)
    }

    /// A row of the table of models. Those that are not in the table are one: clients can make up names without end.
    pub fn model(model: &Model) -> Self {
        if model.configured { Self::configured(&model.name) } else { Self("other") }
    }

    /// The status of an answer. One that nobody waited for is 499, as nginx has it.
    pub fn status(status: Option<u16>) -> Self {
        let status = status.and_then(http_status).unwrap_or("499");
        Self(status)
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

fn kept(name: &str) -> &'static str {
    if let Some(known) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(name) {
        return known;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    // Somebody else may have been faster.
    let kept = known.get(name).copied().unwrap_or_else(|| Box::leak(Box::from(name)));
    known.insert(kept);
    kept
}

/// The three digits of a status.
fn http_status(status: u16) -> Option<&'static str> {
    let status = reqwest::StatusCode::from_u16(status).ok()?;
    // Fewer than a thousand of them.
    Some(Label::configured(status.as_str()).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let (first, second) = (Label::configured("once"), Label::configured(&String::from("once")));
        assert_eq!(first, second);
        assert!(std::ptr::eq(first.as_str(), second.as_str()));
    }

    #[test]
    fn models_that_are_not_configured_are_one() {
        let unknown = ["a", "b"].map(|name| Label::model(&Model::unknown(name)).as_str());
        assert_eq!(unknown, ["other"; 2]);
        let known = Model { configured: true, ..Model::unknown("whisper-1") };
        assert_eq!(Label::model(&known).as_str(), "whisper-1");
    }

    #[test]
    fn a_status_is_a_number_whatever_happened() {
        assert_eq!([Some(200), None, Some(7)].map(|status| Label::status(status).as_str()), ["200", "499", "499"]);
    }
}
