//! The limit on the recordings that are sent at the same time.

use std::cell::Cell;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The slots for recordings that are being sent. There are fewer of them as soon as the gateway says that fewer are allowed.
#[derive(Debug)]
pub(super) struct Slots {
    free: Semaphore,
    total: Cell<usize>,
}

/// A slot, free again when it is dropped.
pub(super) struct Slot<'a>(SemaphorePermit<'a>);

impl Slots {
    pub(super) fn new(total: usize) -> Self {
        Self { free: Semaphore::new(total), total: Cell::new(total) }
    }

    /// Waits for a slot.
    pub(super) async fn take(&self) -> Slot<'_> {
        match self.free.acquire().await {
            Ok(permit) => Slot(permit),
            // Only a closed semaphore has none, and nothing closes this one.
            Err(_) => std::future::pending().await,
        }
    }

    /// Gives up `slot` for good, and waits for another one: until a recording ends, if any is being sent. Returns `Err` with
    /// the slot if it is the last one.
    pub(super) async fn exchange<'a>(&'a self, slot: Slot<'a>) -> Result<Slot<'a>, Slot<'a>> {
        if self.total.get() <= 1 {
            return Err(slot);
        }
        self.total.set(self.total.get() - 1);
        slot.0.forget();
        Ok(self.take().await)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_slot_that_is_given_up_waits_for_another_to_end() {
        let slots = Slots::new(2);
        let (one, two) = (slots.take().await, slots.take().await);
        let mut waiting = Box::pin(slots.exchange(two));
        assert!((&mut waiting).now_or_never().is_none());
        drop(one);
        let two = waiting.now_or_never().unwrap().unwrap_or_else(|_| panic!("it was the last one"));
        assert!(slots.exchange(two).await.is_err(), "the last slot was given up");
    }
}
