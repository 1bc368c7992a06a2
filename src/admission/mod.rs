//! May they, now? Which model a caller may have, and whether the job fits that model.
//!
//! Nothing is spent before this room has said yes. It knows callers, jobs, plans and the table of models; it knows no
//! routes and no provider.

mod fit;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use fit::Unfit;

use crate::config::{Model, OPENAI, Plan, Settings};
use crate::identity::Caller;
use crate::intake::Job;

/// Leave to forward one job.
#[derive(Debug, Clone)]
pub struct Permit {
    /// The model that does the work.
    pub model: Arc<Model>,
}

/// Why a job may not be forwarded.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The token names a plan that is not configured.
    #[error("The token's plan '{plan}' is not a plan of this gateway.")]
    UnknownPlan {
        /// The plan that the token names.
        plan: String,
    },
    /// The model exists, but not for this plan.
    #[error("Your plan '{plan}' does not allow the model '{model}'.")]
    ModelNotAllowed {
        /// The caller's plan.
        plan: String,
        /// The model that was asked for.
        model: String,
    },
    /// There is no such model.
    #[error("The model '{model}' does not exist or you do not have access to it.")]
    ModelNotFound {
        /// The model that was asked for.
        model: String,
    },
    /// The model cannot do this job.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// Decides by the plans and the table of models.
#[derive(Debug)]
pub struct Admission {
    plans: BTreeMap<String, Plan>,
    models: BTreeMap<String, Arc<Model>>,
    default_model: String,
    /// Whether the provider is there to which models that are not configured go.
    serves_unknown: bool,
}

impl Admission {
    /// Admission by these settings.
    pub fn new(settings: &Settings) -> Self {
        Self {
            plans: settings.plans.clone(),
            models: settings.models.iter().map(|(name, model)| (name.clone(), Arc::new(model.clone()))).collect(),
            default_model: settings.default_model.clone(),
            serves_unknown: settings.providers.contains_key(OPENAI),
        }
    }

    /// Checks everything that is known of the job before anything is spent on it.
    pub fn admit(&self, caller: &Caller, job: &Job) -> Result<Permit, Refusal> {
        let name = job.options.model.as_deref().unwrap_or(&self.default_model);
        let model = self.model(caller, name)?;
        fit::check(job, &model)?;
        Ok(Permit { model })
    }

    /// The configured models that the caller may use.
    pub fn models(&self, caller: &Caller) -> Result<impl Iterator<Item = &Model>, Refusal> {
        let plan = self.plan(caller)?;
        Ok(self.models.values().map(AsRef::as_ref).filter(|model| plan.allows(&model.name)))
    }

    /// Whether the caller's plan exists. Known before the body is read.
    pub fn check_plan(&self, caller: &Caller) -> Result<(), Refusal> {
        self.plan(caller).map(|_| ())
    }

    fn plan(&self, caller: &Caller) -> Result<&Plan, Refusal> {
        self.plans.get(&caller.plan).ok_or_else(|| Refusal::UnknownPlan { plan: caller.plan.clone() })
    }

    fn model(&self, caller: &Caller, name: &str) -> Result<Arc<Model>, Refusal> {
        let plan = self.plan(caller)?;
        match self.models.get(name) {
            Some(model) if plan.allows(name) => Ok(Arc::clone(model)),
            Some(_) => Err(Refusal::ModelNotAllowed { plan: caller.plan.clone(), model: name.to_owned() }),
            None if plan.allows_unknown() && self.serves_unknown => Ok(Arc::new(Model::unknown(name))),
            None => Err(Refusal::ModelNotFound { model: name.to_owned() }),
        }
    }
}
