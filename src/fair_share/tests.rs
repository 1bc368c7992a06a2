use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::queue::FairQueue;
use super::turns::Turns;
use super::*;

fn caller(number: usize) -> ShareKey {
    ShareKey::of_caller(&format!("caller-{number}"))
}

fn session(number: usize) -> ShareKey {
    ShareKey::of_session("maker", &format!("user-{number}"))
}

/// Takes units one by one until one is refused, and returns their number.
fn fill(shares: &mut Shares, key: ShareKey) -> u64 {
    (0..=shares.capacity()).take_while(|_| shares.take(key, 1).is_ok()).count().try_into().unwrap()
}

#[test]
fn one_caller_alone_gets_four_fifths_and_the_next_one_the_rest() {
    for (capacity, alone, second) in
        [(0, 0, 0), (1, 1, 0), (4, 4, 0), (5, 4, 1), (9, 8, 1), (10, 8, 2), (24, 20, 4), (100, 80, 16), (256, 205, 41)]
    {
        let mut shares = Shares::new(capacity);
        assert_eq!(fill(&mut shares, caller(1)), alone, "of {capacity}");
        let left = if alone == capacity { Refused::Exhausted } else { Refused::OverShare };
        assert_eq!(shares.check(caller(1), 1), Err(left));
        assert_eq!(fill(&mut shares, caller(2)), second, "of {capacity}");
    }
}

#[test]
fn callers_within_their_equal_shares_use_the_whole() {
    for (capacity, callers) in [(10, 2), (10, 5), (100, 3), (1000, 7)] {
        let mut shares = Shares::new(capacity);
        for turn in 0..usize::try_from(capacity).unwrap() {
            assert_eq!(shares.take(caller(turn % callers), 1), Ok(()), "{turn} of {capacity}");
        }
        assert_eq!(shares.check(caller(callers), 1), Err(Refused::Exhausted));
    }
}

#[test]
fn several_callers_who_take_all_they_can_leave_something_for_the_next() {
    // Each caller leaves a fifth of the free part.
    let mut shares = Shares::new(5_u64.pow(6));
    for number in 0..6 {
        assert!(fill(&mut shares, caller(number)) > 0, "{number}");
        assert_eq!(shares.check(caller(number + 1), 1), Ok(()), "after {number}");
    }
}

#[test]
fn a_caller_who_has_more_than_its_share_gets_nothing_back_of_the_last_fifth() {
    let mut shares = Shares::new(100);
    fill(&mut shares, caller(1));
    let second = fill(&mut shares, caller(2));
    shares.give_back(caller(1), 10);
    assert_eq!(shares.check(caller(1), 1), Err(Refused::OverShare), "70 of 100 are more than a half");
    assert_eq!(shares.take(caller(2), 8), Ok(()), "{second} are less");
}

#[test]
fn the_sessions_of_a_maker_count_as_the_makers_and_share_among_themselves() {
    let mut shares = Shares::new(1000);
    let first = fill(&mut shares, session(1));
    assert_eq!(first, 640, "four fifths of the maker's");
    let rest: u64 = (2..40).map(|number| fill(&mut shares, session(number))).sum();
    assert_eq!(first + rest, 800, "all of them together get as much as one caller");
    assert_eq!(shares.check(ShareKey::of_caller("maker"), 1), Err(Refused::OverShare), "it is the maker's own");
    assert_eq!(shares.held_by(session(1)), (800, 640));
    assert_eq!(shares.take(caller(1), 100), Ok(()));
    // The same subject is a different holder if another maker created the session, or if it is a caller itself.
    assert_eq!(shares.check(ShareKey::of_session("other", "user-1"), 1), Ok(()));
    assert_eq!(shares.check(ShareKey::of_caller("user-1"), 1), Ok(()));
    shares.give_back(session(1), first);
    assert_eq!(shares.take(session(50), 50), Ok(()));
}

#[test]
fn a_smallest_share_is_to_be_had_whatever_else_is_held() {
    for key in [caller(1), session(1)] {
        let shares = || Shares::new(1000).with_min_share(1000);
        assert_eq!(shares().take(key, 1000), Ok(()), "{key:?}");
        let mut others = shares();
        others.take(caller(2), 700).unwrap();
        assert_eq!(others.check(key, 301), Err(Refused::Exhausted), "{key:?}");
        assert_eq!(others.check(key, 300), Ok(()), "{key:?}");
    }
    let mut shares = Shares::new(1000).with_min_share(300);
    assert_eq!(shares.take(caller(1), 801), Err(Refused::OverShare));
    shares.take(caller(1), 800).unwrap();
    assert_eq!(shares.check(caller(2), 200), Ok(()));
    let share = FairShare::new(shares);
    assert_eq!(share.check(caller(1), 100), Err(Refused::OverShare));
    share.set_min_share(900);
    assert_eq!(share.check(caller(1), 100), Ok(()), "as much as the settings say now");
}

#[test]
fn a_guard_grows_as_far_as_it_may_and_gives_everything_back() {
    let share = FairShare::new(Shares::new(100));
    let mut one = share.try_acquire(caller(1), 30).unwrap();
    assert_eq!(one.grow_to(81).err(), Some(Refused::OverShare));
    assert_eq!((one.grow_to(80), one.grow_to(10), share.held()), (Ok(()), Ok(()), 80));
    assert!(share.try_acquire(caller(2), 20).is_err() && share.held() == 80, "a refused request holds nothing");
    let other = share.try_acquire(caller(2), 10).unwrap();
    assert_eq!(share.check(caller(3), 11), Err(Refused::Exhausted));
    drop((one, other));
    assert_eq!(share.held(), 0);
    assert!(share.lock().sessions.is_empty(), "an idle caller is not remembered");
}

/// Generates steps: a key, a number of units, and whether it takes or returns them.
fn steps() -> impl Strategy<Value = Vec<(usize, u64, bool)>> {
    vec((0..8_usize, 1..40_u64, prop::bool::weighted(0.7)), 0..200)
}

#[test]
fn what_was_popped_goes_back_although_the_queue_is_full() {
    let mut queue = FairQueue::new(2);
    let first = queue.push(caller(1), "first").unwrap();
    assert_eq!(queue.pop(), Some((first, "first")));
    queue.push(caller(2), "second").unwrap();
    queue.push(caller(3), "third").unwrap();
    assert_eq!(queue.push(caller(4), "fourth"), Err(Refused::Exhausted));
    queue.put_back(first, "first");
    assert_eq!(queue.len(), 3);
    let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(_, entry)| entry).collect();
    assert_eq!(order, ["second", "third", "first"]);
    assert_eq!(queue.len(), 0);
}

#[test]
fn an_entry_is_removed_once_and_gives_its_place_back() {
    let mut queue = FairQueue::new(1);
    let ticket = queue.push(session(1), "only").unwrap();
    assert_eq!(queue.push(session(2), "other"), Err(Refused::Exhausted));
    assert_eq!((queue.remove(ticket), queue.remove(ticket), queue.len()), (Some("only"), None, 0));
    assert!(queue.push(session(2), "other").is_ok());
}

proptest! {
    #[test]
    fn whatever_is_taken_and_given_back_the_rule_holds(capacity in 0..400_u64, steps in steps()) {
        let key = |number: usize| if number < 5 { caller(number) } else { session(number) };
        let (mut shares, mut held) = (Shares::new(capacity), [0_u64; 8]);
        for (number, units, takes) in steps {
            if !takes {
                shares.give_back(key(number), held[number]);
                held[number] = 0;
                continue;
            }
            let free = capacity - held.iter().sum::<u64>();
            let taken = shares.take(key(number), units);
            let group = |at: usize| at >= 5;
            let of_caller = |held: &[u64; 8]| if group(number) { held[5..].iter().sum() } else { held[number] };
            let before = of_caller(&held);
            match taken {
                Ok(()) => {
                    held[number] += units;
                    prop_assert!(units <= free, "more than there is");
                }
                Err(Refused::Exhausted) => prop_assert!(units > free || group(number)),
                Err(Refused::OverShare) => prop_assert!(units <= free && (before > 0 || units > 1)),
            }
            let total = held.iter().sum::<u64>();
            prop_assert_eq!((shares.held(), shares.held_by(key(number)).0), (total, of_caller(&held)));
            if total == of_caller(&held) {
                prop_assert!(total <= capacity - capacity / 5, "one alone has {} of {}", total, capacity);
            }
            // Only a caller within its equal share takes units of the last fifth.
            let callers = held[..5].iter().filter(|units| **units > 0).count() + usize::from(held[5..].iter().any(|&units| units > 0));
            if taken.is_ok() && total > capacity - capacity / 5 {
                let share = capacity.div_ceil(u64::try_from(callers.max(2)).unwrap());
                prop_assert!(of_caller(&held) <= share, "{} of {}", of_caller(&held), share);
            }
            if total < capacity {
                prop_assert_eq!(shares.check(caller(100), 1), Ok(()), "a newcomer finds nothing of {}", capacity - total);
            }
        }
        for (number, units) in held.into_iter().enumerate() {
            shares.give_back(key(number), units);
        }
        prop_assert_eq!(shares.held(), 0);
        prop_assert!(shares.sessions.is_empty());
    }

    #[test]
    fn several_at_once_are_had_exactly_where_one_after_the_other_are(capacity in 1..200_u64, steps in steps(), units in 1..200_u64) {
        let (mut at_once, mut in_turn) = (Shares::new(capacity), Shares::new(capacity));
        for (number, units, _) in steps {
            if at_once.take(caller(number), units).is_ok() {
                in_turn.take(caller(number), units).unwrap();
            }
        }
        let one_by_one = (0..units).all(|_| in_turn.take(caller(0), 1).is_ok());
        prop_assert_eq!(at_once.take(caller(0), units).is_ok(), one_by_one);
    }

    #[test]
    fn turns_lose_nothing_and_no_lane_is_served_twice_before_another_is_once(
        steps in prop::collection::vec((0..5_u32, 0..3_u32), 0..200),
    ) {
        let (mut turns, mut model) = (Turns::<u32, VecDeque<u32>>::default(), Vec::<(u32, u32)>::new());
        let mut number = 0;
        for (key, step) in steps {
            match step {
                // Most steps add, so lanes become long.
                0 | 1 => {
                    turns.add(key, |lane| lane.push_back(number));
                    model.push((key, number));
                    number += 1;
                }
                _ => {
                    let removed = turns.remove(key, VecDeque::pop_back, VecDeque::is_empty);
                    let last = model.iter().rposition(|(other, _)| *other == key);
                    prop_assert_eq!(removed, last.map(|index| model.remove(index).1));
                }
            }
        }
        let key_of = |number: u32| model.iter().find(|(_, other)| *other == number).unwrap().0;
        let mut served = Vec::new();
        while let Some(number) = turns.serve(VecDeque::pop_front, VecDeque::is_empty) {
            served.push(number);
        }
        prop_assert!(turns.is_empty());
        let mut all: Vec<_> = served.clone();
        all.sort_unstable();
        prop_assert_eq!(all, model.iter().map(|(_, number)| *number).collect::<Vec<_>>());
        // In round n each lane that has an nth entry is served once, so the rank within a lane never falls.
        let rank = |number: u32| model.iter().filter(|(key, other)| *key == key_of(number) && *other < number).count();
        prop_assert!(served.iter().map(|&number| rank(number)).is_sorted());
    }
}

/// A step in the life of a room.
#[derive(Debug, Clone)]
enum RoomStep {
    Begin,
    Grow { which: usize, units: u64 },
    End { which: usize },
    Reserve(u64),
}

fn room_step() -> impl Strategy<Value = RoomStep> {
    prop_oneof![
        Just(RoomStep::Begin),
        (0..4_usize, 0..40_u64).prop_map(|(which, units)| RoomStep::Grow { which, units }),
        (0..4_usize).prop_map(|which| RoomStep::End { which }),
        (0..60_u64).prop_map(RoomStep::Reserve),
    ]
}

proptest! {
    #[test]
    fn a_room_holds_what_is_reserved_or_used_and_gives_all_of_it_back(steps in vec(room_step(), 0..40), first in 0..60_u64) {
        let shares = FairShare::new(Shares::new(100));
        let mut room = Some(shares.reserve_room(caller(1), first).unwrap());
        let (mut reserved, mut used) = (first, Vec::<(Reservation, u64)>::new());
        let sum = |used: &[(Reservation, u64)]| used.iter().map(|(_, units)| units).sum::<u64>();
        for step in steps {
            let open = room.as_ref().unwrap();
            match step {
                RoomStep::Begin => used.push((open.reservation(), 0)),
                RoomStep::Grow { which, units } => {
                    let before = sum(&used);
                    let Some((reservation, own)) = used.get_mut(which) else { continue };
                    let more = units.saturating_sub(*own);
                    let grown = reservation.grow_to(units);
                    prop_assert!(grown.is_ok() || before + more > reserved, "what is reserved is there");
                    *own += if grown.is_ok() { more } else { 0 };
                }
                RoomStep::End { which } if which < used.len() => drop(used.remove(which)),
                RoomStep::End { .. } => {}
                RoomStep::Reserve(units) => {
                    reserved = if open.handle().reserve(units).is_ok() { reserved.max(units) } else { reserved };
                }
            }
            prop_assert_eq!(shares.held(), reserved.max(sum(&used)));
        }
        drop(room.take());
        prop_assert_eq!(shares.held(), sum(&used), "what nobody uses is given back");
        used.clear();
        prop_assert_eq!(shares.held(), 0);
    }
}
