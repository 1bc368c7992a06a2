//! The reasons for which a limit closes a connection.

use crate::telemetry::metrics::{CONNECTIONS_CLOSED, Label};

/// The reason for which a limit closes or rejects a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The connection was idle for longest, and made room for another.
    Idle,
    /// The listener is at its limit, and no connection is idle.
    Limit,
    /// The client's address is at its limit, and none of its connections is idle.
    AddressLimit,
    /// The client sent too many HTTP/2 frames without data.
    ControlFrames,
}

impl CloseReason {
    /// Every reason.
    pub(super) const ALL: [Self; 4] = [Self::Idle, Self::Limit, Self::AddressLimit, Self::ControlFrames];

    /// Returns the reason's name in the metrics.
    const fn label(self) -> Label {
        Label::fixed(match self {
            Self::Idle => "idle",
            Self::Limit => "limit",
            Self::AddressLimit => "address_limit",
            Self::ControlFrames => "control_frames",
        })
    }

    /// Counts a connection that was closed for this reason.
    pub(super) fn count(self) {
        CONNECTIONS_CLOSED.add([self.label()], 1);
    }

    /// Creates the series of this reason, so that Prometheus sees its first increase.
    pub(super) fn begin_at_zero(self) {
        CONNECTIONS_CLOSED.add([self.label()], 0);
    }
}
