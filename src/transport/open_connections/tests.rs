use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn is_closed(connection: &OpenConnection) -> bool {
    connection.must_close().now_or_never().is_some()
}

#[test]
fn the_one_that_has_been_idle_for_longest_makes_room() {
    let connections = OpenConnections::new(3, None);
    let enter = || connections.enter(Some(address(1)));
    let (first, second, third) = (enter().unwrap(), enter().unwrap(), enter().unwrap());
    // The first is busy, and the second was busy until after the third connected.
    assert!(first.request_begins() && second.request_begins());
    second.becomes_idle();
    let fourth = enter().unwrap();
    assert_eq!([&first, &second, &third, &fourth].map(is_closed), [false, false, true, false]);
    assert!(!third.request_begins(), "it is about to be closed");
    assert!(fourth.request_begins() && second.request_begins());
    assert!(enter().is_none(), "each has a request in progress");
    drop(third);
    assert_eq!(connections.count(), 3);
    second.becomes_idle();
    assert!(enter().is_some_and(|_| is_closed(&second)));
}

#[test]
fn an_address_that_has_its_share_takes_from_itself_alone() {
    let connections = OpenConnections::new(10, Some(2));
    let others = connections.enter(Some(address(2))).unwrap();
    let own: Vec<_> = (0..2).map(|_| connections.enter(Some(address(1))).unwrap()).collect();
    let third = connections.enter(Some(address(1))).unwrap();
    assert_eq!((is_closed(&others), is_closed(&own[0]), is_closed(&own[1])), (false, true, false));
    assert!(own[1].request_begins() && third.request_begins());
    assert!(connections.enter(Some(address(1))).is_none());
    assert!(connections.enter(Some("::ffff:192.0.2.1".parse().unwrap())).is_none(), "it is the same in disguise");
    let v6 = |text: &str| connections.enter(Some(text.parse().unwrap()));
    let (one, two) = (v6("2001:db8::1").unwrap(), v6("2001:db8::ffff:2").unwrap());
    assert!(one.request_begins() && two.request_begins());
    assert!(v6("2001:db8::3").is_none());
    assert!(v6("2001:db8:0:1::3").is_some());
}

proptest! {
    /// Compares with a model that keeps the connections in a list, the idlest first.
    #[test]
    fn whatever_happens_the_idlest_is_the_one_that_is_closed(
        max in 1..40_usize,
        steps in prop::collection::vec((0..4_u8, any::<prop::sample::Index>()), 1..200),
    ) {
        let connections = OpenConnections::new(max, None);
        let (mut idle, mut busy): (Vec<OpenConnection>, Vec<OpenConnection>) = Default::default();
        for (step, index) in steps {
            match step {
                0 | 1 => match connections.enter(Some(address(1))) {
                    None => prop_assert!(idle.is_empty() && busy.len() == max),
                    Some(new) => {
                        if idle.len() + busy.len() == max {
                            prop_assert!(is_closed(&idle.remove(0)));
                        }
                        idle.push(new);
                    }
                },
                2 if !idle.is_empty() => {
                    let connection = idle.remove(index.index(idle.len()));
                    prop_assert!(connection.request_begins());
                    busy.push(connection);
                }
                3 if !busy.is_empty() => {
                    let connection = busy.swap_remove(index.index(busy.len()));
                    connection.becomes_idle();
                    idle.push(connection);
                }
                3 if !idle.is_empty() => drop(idle.remove(index.index(idle.len()))),
                _ => {}
            }
            prop_assert_eq!(connections.count(), idle.len() + busy.len());
            prop_assert!(!idle.iter().chain(&busy).any(is_closed));
        }
    }
}
