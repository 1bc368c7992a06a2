//! The faults of a store, and the steps of a test with faults.

use std::collections::VecDeque;

use proptest::prelude::*;

/// The fault that hits one question.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The store does the work, and the answer is lost.
    AnswerLost,
    /// The store does the work later, after work that came after it.
    Late,
    /// The store does not do the work, and reports an error.
    Fails,
    /// The connection breaks after the work is done, and the question is sent again. Only Redis has this fault.
    AskedTwice,
}

/// The faults of the next questions; the questions after them are answered.
pub(crate) type Faults = VecDeque<Fault>;

/// A step of a test. Its numbers choose among the existing callers and requests.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A caller asks for a recording of this length.
    AdmitRequest {
        caller: usize,
        audio: u64,
        faults: Vec<Fault>,
    },
    /// A client leaves before the decision on its request, or on a change of its charge.
    Leave {
        which: usize,
    },
    /// The charge of a request is changed to this much audio.
    Revise {
        which: usize,
        audio: u64,
        faults: Vec<Fault>,
    },
    /// A request ends, at this percentage of its expected cost.
    End {
        which: usize,
        percent: u64,
        faults: Vec<Fault>,
    },
    /// Time passes.
    Wait {
        ms: u64,
    },
    /// The store does nothing until it resumes.
    Stall,
    Resume,
    /// A piece of late work is done now.
    Deliver {
        which: usize,
    },
    /// Many records are settled that share a list with a caller's records.
    Crowd {
        caller: usize,
    },
    /// Redis loses all its data.
    Forget,
}

/// Returns a strategy for the steps of a store that keeps its data.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fault = prop_oneof![Just(Fault::AnswerLost), Just(Fault::Late), Just(Fault::Fails), Just(Fault::AskedTwice),];
    let faults = || prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(fault.clone(), 1..3)];
    let step = prop_oneof![
        8 => (0..2_usize, 1..40_u64, faults()).prop_map(|(caller, audio, faults)| Step::AdmitRequest { caller, audio, faults }),
        1 => any::<usize>().prop_map(|which| Step::Leave { which }),
        4 => (any::<usize>(), 1..60_u64, faults()).prop_map(|(which, audio, faults)| Step::Revise { which, audio, faults }),
        6 => (any::<usize>(), 0..=100_u64, faults())
            .prop_map(|(which, percent, faults)| Step::End { which, percent, faults }),
        6 => prop_oneof![1..100_u64, 400..700_u64, 1000..4000_u64].prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Stall),
        2 => Just(Step::Resume),
        3 => any::<usize>().prop_map(|which| Step::Deliver { which }),
        1 => (0..2_usize).prop_map(|caller| Step::Crowd { caller }),
    ];
    prop::collection::vec(step, 1..40)
}

/// Returns a strategy for the steps of a store that may also lose its data.
pub(crate) fn forgetful_steps() -> impl Strategy<Value = Vec<Step>> {
    let some = (steps(), steps(), 1..4_usize);
    some.prop_map(|(before, after, times)| {
        let mut steps = before;
        for part in after.chunks(after.len().div_ceil(times)) {
            steps.push(Step::Forget);
            steps.extend_from_slice(part);
        }
        steps
    })
}
