//! The model entries that can do a job.

use std::sync::Arc;

use super::admit::Admission;
use super::refusal::Refusal;
use crate::config::{Fallback, Model};
use crate::identity::Caller;
use crate::intake::Job;
use crate::models::{self, Target, TargetChain};

impl Admission {
    /// Returns the model entries that can do a job: the requested one, if the caller may use it and it can do the job,
    /// and those of its fallbacks that can do the job.
    pub fn targets(&self, caller: &Caller, job: &Job) -> Result<TargetChain, Refusal> {
        let requested = self.model(caller, job)?;
        let is_priced = self.plan(caller)?.monthly_usd.is_some();
        let fallback = |fallback: &Fallback| {
            let model = self.models.get(&fallback.model)?;
            // A plan with a budget of money needs a price, so a fallback without one does not fit.
            let fits = models::check(job, model).is_ok() && (model.price.is_some() || !is_priced);
            fits.then(|| Target { model: Arc::clone(model), weight: fallback.weight })
        };
        let fallbacks = requested.fallbacks.iter().filter_map(fallback).collect();
        Ok(TargetChain { requested, fallbacks })
    }

    fn model(&self, caller: &Caller, job: &Job) -> Result<Arc<Model>, Refusal> {
        let name = job.options.model.as_deref().unwrap_or(&self.default_model);
        let plan = self.plan(caller)?;
        let model = match self.models.get(name) {
            Some(model) if plan.allows(name) => Arc::clone(model),
            Some(_) => {
                return Err(Refusal::ModelNotAllowed { plan: caller.plan.clone(), model: name.to_owned() });
            }
            None if plan.allows_unknown() && self.serves_unknown => Arc::new(Model::unknown(name)),
            None => return Err(Refusal::ModelNotFound { model: name.to_owned() }),
        };
        models::check(job, &model)?;
        Ok(model)
    }

    /// Returns the configured models that the caller may use.
    pub fn models(&self, caller: &Caller) -> Result<impl Iterator<Item = &Model>, Refusal> {
        let plan = self.plan(caller)?;
        Ok(self.models.values().map(AsRef::as_ref).filter(|model| plan.allows(&model.name)))
    }
}
