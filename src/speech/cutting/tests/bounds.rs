//! The bounds of the work on one recording.

use super::*;

/// The work on a recording, to be done on this thread.
async fn machine(samples: &[i16], rules: CutRules) -> Machine {
    let (audio, info) = spool(&wav(samples)).await;
    let cancelled = Arc::default();
    let order = Order { max: None, silent_until: Arc::default(), audio, info, late: None, cancelled };
    Machine::new(order, room(&quota(1 << 30)), rules, Encoding::Flac)
}

#[tokio::test]
async fn a_recording_has_a_twentieth_of_its_length_and_a_second_of_processor_time() {
    let mut machine = machine(&voice(320_000), CutRules::whole()).await;
    assert!(machine.turn(&Turn::over()).is_none());
    machine.processor_time = std::time::Duration::from_millis(2001);
    let Some(Err(SpeechError::TooExpensive { length, allowed })) = machine.turn(&Turn::over()) else {
        panic!("the work went on");
    };
    assert_eq!((length, allowed.as_millis()), (AudioMs::new(20_000), 2000));
}

#[tokio::test]
async fn no_more_samples_are_held_than_a_cut_may_need() {
    // Without a pause, all of the window waits for the decision.
    let sound = voice(160_000).repeat(15);
    let mut machine = machine(&sound, CutRules::pieces(Samples::from_ms(40_000), limits(100, 800_000))).await;
    let (mut max, mut pieces) = (0, 0);
    loop {
        match machine.turn(&Turn::over()) {
            None => {}
            Some(Ok(Outcome::Piece(_))) => pieces += 1,
            Some(Ok(_)) => break,
            Some(Err(error)) => panic!("{error}"),
        }
        max = max.max(machine.held_samples());
    }
    assert!(pieces >= 3, "{pieces}");
    assert!((300_000..400_000).contains(&max), "{max} samples were held");
}

#[tokio::test]
async fn a_recording_without_a_measured_length_ends_where_it_is_too_long() {
    let bytes = wav(&voice(320_000));
    for (length, is_refused) in
        [(Length::AtMost(AudioMs::new(60_000)), true), (Length::Measured(AudioMs::new(20_000)), false)]
    {
        let (audio, info) = spool(&bytes).await;
        let info = MediaInfo { length, ..info };
        let room = room(&quota(1 << 30));
        let cutting = Cutting::start(&pool(), alice(), room, audio, info, short_pieces(), Encoding::Flac);
        let mut cutting = cutting.of_at_most(AudioMs::new(10_000));
        let end = loop {
            match cutting.next_piece().await {
                Ok(Some(piece)) => assert!(!is_refused || piece.span.end <= Samples::from_ms(10_200)),
                end => break end,
            }
        };
        match end {
            Err(SpeechError::TooLong { max }) => assert!(is_refused && max == AudioMs::new(10_000)),
            end => assert!(!is_refused && matches!(end, Ok(None)), "{end:?}"),
        }
    }
}

#[tokio::test]
async fn silence_behind_a_piece_is_known_once_it_was_looked_at() {
    let samples = [voice(48_000), vec![0; 320_000]].concat();
    let mut cutting = start(&samples, &quota(1 << 30), short_pieces()).await;
    let piece = cutting.next_piece().await.unwrap().unwrap();
    assert!(cutting.progress().silent_until <= piece.span.start);
    assert!(cutting.next_piece().await.unwrap().is_none());
    assert_eq!(cutting.progress().silent_until, Samples::new(368_000));
}
