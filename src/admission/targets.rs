//! The model entries that can do a job.

use std::sync::Arc;

use super::admit::Admission;
use super::refusal::Refusal;
use crate::config::{Fallback, Model};
use crate::domain::AudioMs;
use crate::identity::Caller;
use crate::intake::Job;
use crate::models::{self, Reason, Target, TargetChain, Way};

impl Admission {
    /// Returns the model entries that can do a job: the requested one, if the caller may use it and it can do the job,
    /// and those of its fallbacks that can do the job by the same way.
    pub fn targets(&self, caller: &Caller, job: &Job) -> Result<TargetChain, Refusal> {
        let requested = self.model(caller, job)?;
        self.check_length(caller, job)?;
        let way = models::choose_way(job, &requested, &self.speech)?;
        self.chain(caller, job, requested, way)
    }

    /// Returns the model entries for a job whose recording a provider refused as it is, because of its size or length:
    /// it is split in spite of what its model's entry says. `None` if it cannot be split.
    pub fn targets_after_refusal(
        &self,
        caller: &Caller,
        job: &Job,
        reason: Reason,
    ) -> Result<Option<TargetChain>, Refusal> {
        let requested = self.model(caller, job)?;
        let chain = self.chain(caller, job, requested, Way::Split(reason))?;
        Ok(chain.pieces.is_some().then_some(chain))
    }

    /// Returns the longest recording of this caller, by its plan and by the gateway's own limit.
    pub fn max_recording(&self, caller: &Caller) -> Result<AudioMs, Refusal> {
        let (own, all) = (self.plan(caller)?.max_recording, self.speech.max_recording);
        Ok(own.map_or(all, |own| own.min(all)))
    }

    /// Refuses a recording that is too long for the caller's plan or for the gateway. Only a plan refuses a mere bound of
    /// the length, as it does for its rate of audio: a caller must not exceed its limits by a file that cannot be measured.
    pub fn check_length(&self, caller: &Caller, job: &Job) -> Result<(), Refusal> {
        let length = job.media.length;
        if let Some(max) = self.plan(caller)?.max_recording.filter(|max| length.upper_bound() > *max) {
            return Err(Refusal::LongerThanPlan { plan: caller.plan.clone(), length, max });
        }
        let max = self.speech.max_recording;
        match length.measured().filter(|length| *length > max) {
            Some(length) => Err(Refusal::LongerThanAllowed { length, max }),
            None => Ok(()),
        }
    }

    fn chain(&self, caller: &Caller, job: &Job, requested: Arc<Model>, way: Way) -> Result<TargetChain, Refusal> {
        let pieces = models::plan_pieces(job, &requested, way, &self.speech);
        let is_priced = self.plan(caller)?.monthly_usd.is_some();
        let fallback = |fallback: &Fallback| {
            let model = self.models.get(&fallback.model)?;
            // A plan with a budget of money needs a price, so a fallback without one does not fit.
            let fits = match pieces {
                Some(plan) => models::does_pieces(job, model, &requested, plan, &self.speech),
                None => models::choose_way(job, model, &self.speech).is_ok_and(|way| way == Way::AsIs),
            };
            (fits && (model.price.is_some() || !is_priced))
                .then(|| Target { model: Arc::clone(model), weight: fallback.weight })
        };
        let fallbacks = requested.fallbacks.iter().filter_map(fallback).collect();
        Ok(TargetChain { requested, fallbacks, way, pieces })
    }

    fn model(&self, caller: &Caller, job: &Job) -> Result<Arc<Model>, Refusal> {
        let name = job.options.model.as_deref().unwrap_or(&self.default_model);
        let plan = self.plan(caller)?;
        match self.models.get(name) {
            Some(model) if plan.allows(name) => Ok(Arc::clone(model)),
            Some(_) => Err(Refusal::ModelNotAllowed { plan: caller.plan.clone(), model: name.to_owned() }),
            None if plan.allows_unknown() && self.serves_unknown => Ok(Arc::new(Model::unknown(name))),
            None => Err(Refusal::ModelNotFound { model: name.to_owned() }),
        }
    }

    /// Returns the configured models that the caller may use.
    pub fn models(&self, caller: &Caller) -> Result<impl Iterator<Item = &Model>, Refusal> {
        let plan = self.plan(caller)?;
        Ok(self.models.values().map(AsRef::as_ref).filter(|model| plan.allows(&model.name)))
    }
}
