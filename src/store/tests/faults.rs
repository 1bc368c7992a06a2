//! What can happen to a store and to what is asked of it.

use std::collections::VecDeque;

use proptest::prelude::*;

/// What becomes of one question.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It is done, and the answer does not come back.
    AnswerLost,
    /// It is done later, after others that came after it.
    Late,
    /// It is not done, and that is said.
    Fails,
    /// Its connection breaks after it was done, and it is asked again. That happens to Redis alone.
    AskedTwice,
}

/// What becomes of the next questions; those after them are answered.
pub(crate) type Faults = VecDeque<Fault>;

/// One thing that happens. Numbers choose among what is there.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A caller asks, for so much audio.
    AdmitRequest {
        caller: usize,
        audio: u64,
        faults: Vec<Fault>,
    },
    /// A client leaves while its request is decided.
    Leave {
        which: usize,
    },
    /// A request ends, with so many hundredths of what it was expected to cost.
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
    /// Something that was late is done now.
    Deliver {
        which: usize,
    },
    /// Many others are settled, whose records are in one list with a caller's.
    Crowd {
        caller: usize,
    },
    /// Redis forgets everything.
    Forget,
}

/// What happens to a store and its gateway.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fault = prop_oneof![Just(Fault::AnswerLost), Just(Fault::Late), Just(Fault::Fails), Just(Fault::AskedTwice),];
    let faults = || prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(fault.clone(), 1..3)];
    let step = prop_oneof![
        8 => (0..2_usize, 1..40_u64, faults()).prop_map(|(caller, audio, faults)| Step::AdmitRequest { caller, audio, faults }),
        1 => any::<usize>().prop_map(|which| Step::Leave { which }),
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

/// The same with a store that forgets.
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
