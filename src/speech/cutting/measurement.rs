//! The measurement of a recording that is cut while it arrives.

use std::sync::{Arc, OnceLock};

use crate::intake::media::MediaInfo;

/// The measurement of a recording that is cut while it arrives. Until it is there, the recording is cut as far as its
/// beginning claims that it goes, and its end is not believed: nothing is sent that no permit was charged for.
#[derive(Debug, Clone, Default)]
pub struct LateMeasurement(Arc<OnceLock<MediaInfo>>);

impl LateMeasurement {
    /// Sets the measurement. It counts from when the recording is released.
    pub fn set(&self, info: MediaInfo) {
        // A recording is measured once.
        let _ = self.0.set(info);
    }

    pub(super) fn get(&self) -> Option<MediaInfo> {
        self.0.get().copied()
    }
}
