//! Admission of live sessions: the audio is charged in slices, ahead of what is spoken, under one permit.

use std::time::Duration;

use super::admit::{Admission, request_info};
use super::asked_permit::AskedPermit;
use super::estimate::Amounts;
use super::open_charge::OpenCharge;
use super::permit::Permit;
use super::refusal::Refusal;
use super::revise::Change;
use crate::domain::{AudioMs, Length, NanoUsd, UnixMs};
use crate::identity::Caller;
use crate::ledger::{Charge, PermitId};
use crate::limits::{AdmitRequest, Limits};
use crate::models::TargetChain;

/// A live session to admit, with its first slice of audio.
#[derive(Debug, Clone, Copy)]
pub struct LiveToAdmit<'a> {
    /// The caller that opens the session. Every later slice counts against its plan and the caps of its token.
    pub caller: &'a Caller,
    /// The model entries that can do the work.
    pub targets: &'a TargetChain,
    /// The first provider in line.
    pub provider: &'a str,
    /// The id of the request.
    pub request_id: &'a str,
    /// The charge of the first slice; see [`Admission::live_estimate`].
    pub charge: Charge,
    /// The audio of the first slice, which is taken from the rate.
    pub rated: AudioMs,
    /// The time after which the session counts as dead, unless a change renews it.
    pub lease: Duration,
    /// The time at which the session ends at the latest, which may be after the expiry of the token.
    pub until: UnixMs,
}

impl Admission {
    /// Returns the estimate for `audio` in this number of turns, by the dearest of the model entries. Each turn has `text`
    /// bytes of text that a provider may bill, and a margin, since providers round seconds up.
    pub fn live_estimate(targets: &TargetChain, audio: AudioMs, turns: u32, text: u64) -> Charge {
        Amounts::of_turns(audio, turns, text).estimate(targets)
    }

    /// Admits a live session as one request in flight, and charges its first slice: all or nothing.
    ///
    /// The permit costs what its pieces cost. For its record, report how much audio was sent
    /// ([`Permit::set_measured_audio`]).
    pub async fn admit_live(&self, live: LiveToAdmit<'_>) -> Result<Permit, Refusal> {
        let LiveToAdmit { caller, targets, provider, request_id, charge, rated, lease, until } = live;
        let plan = self.check_length_for_rate(caller, Length::Measured(rated))?;
        self.check_price(caller, &targets.requested)?;
        let request = AdmitRequest {
            id: PermitId::new(),
            subject: caller.subject.clone(),
            token: self.token(caller),
            session: self.in_session(caller, Some(until)),
            limits: Limits::for_recording(plan, rated),
            estimate: chargeable(charge),
            lease,
            info: request_info(caller, &targets.requested, provider, request_id),
        };
        let model = &targets.requested;
        let (replaced, audio, text) = (Charge::NONE, Length::Measured(AudioMs::default()), 0);
        let permit = self.decide(AskedPermit { caller, plan, model, request, replaced, rated, audio, text }).await?;
        // Even if nothing is ever sent: the session then costs nothing.
        permit.attempts().divide();
        Ok(permit)
    }

    /// Sets the charge of a live session's permit to `charge`, and renews its lease. `rated` is all the audio that the
    /// session takes from the rate, earlier slices included. Costs one round trip to the store.
    ///
    /// If it is refused, the permit keeps its charge and its lease. It can be asked for again, since a rate has room later;
    /// until then a change that takes nothing more, which only a revoked token or a store that is required and away can
    /// refuse, renews the lease. What was done under the permit is charged when it is settled.
    pub async fn revise_live(
        &self,
        open: &OpenCharge,
        caller: &Caller,
        charge: Charge,
        rated: AudioMs,
        lease: Duration,
    ) -> Result<(), Refusal> {
        let (taken, session) = open.read(|charge| (charge.rated, charge.session.clone()));
        let asked = rated.saturating_sub(taken);
        let plan = self.check_length_for_rate(caller, Length::Measured(asked))?;
        self.change(open, Change { caller, plan, session, charge: chargeable(charge), rated, asked, lease }).await
    }
}

/// Returns a charge that a store can hold.
fn chargeable(charge: Charge) -> Charge {
    Charge { usd: charge.usd.min(NanoUsd::MAX), ..charge }
}
