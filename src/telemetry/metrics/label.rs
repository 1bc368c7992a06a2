//! Label values: words of this source, names from the settings, or numbers of three digits; never a client's own text.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use crate::config::Model;

/// A label value, as cheap as a pointer. A value from the settings is stored once for the life of the process, like the
/// series that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label(&'static str);

static KNOWN: RwLock<BTreeSet<&'static str>> = RwLock::new(BTreeSet::new());

thread_local! {
    /// The labels that this thread has used, so that workers do not wait for each other.
    static USED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

impl Label {
    /// The label of requests that failed before they had a model.
    pub const NO_MODEL: Self = Self("none");

    /// Makes a label from a word of this source.
    pub const fn fixed(word: &'static str) -> Self {
        Self(word)
    }

    /// Makes a label from a name in the settings. Other text must not come here, because its memory is never freed.
    pub fn configured(name: &str) -> Self {
        // `try_with` fails while the thread ends; the shared set is then used.
        let used = USED.try_with(|used| used.borrow().get(name).copied());
        if let Ok(Some(used)) = used {
            return Self(used);
        }
        let kept = kept(name);
        let _ = USED.try_with(|used| used.borrow_mut().insert(kept));
        Self(kept)
    }

    /// Makes the label of a model, which is its name if it is configured. All other models share one label, since
    /// clients can make up any number of names.
    pub fn model(model: &Model) -> Self {
        if model.configured { Self::configured(&model.name) } else { Self("other") }
    }

    /// Makes the label of an answer's status; 499, as in nginx, if the client left before the answer.
    pub fn status(status: Option<u16>) -> Self {
        let status = status.and_then(http_status).unwrap_or("499");
        Self(status)
    }

    /// Returns the label's text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

fn kept(name: &str) -> &'static str {
    if let Some(known) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(name) {
        return known;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    // Another thread may have added it in the meantime.
    let kept = known.get(name).copied().unwrap_or_else(|| Box::leak(Box::from(name)));
    known.insert(kept);
    kept
}

/// Returns the three digits of a status.
fn http_status(status: u16) -> Option<&'static str> {
    let status = reqwest::StatusCode::from_u16(status).ok()?;
    // There are fewer than a thousand, so their memory is bounded.
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
