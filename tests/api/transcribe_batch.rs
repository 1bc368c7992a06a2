//! `voxgate transcribe` with many recordings: what fails alone, what is skipped, what a stop leaves behind.

use nix::sys::signal::Signal;

use crate::support::audio;
use crate::support::poll::until;
use crate::support::provider::{Framing, Gate, Provider, Reply, TRANSCRIPT, events};
use crate::support::transcribe::Recordings;

/// Recordings of this name and a number, in the folder `in`.
fn numbered(recordings: Recordings, count: usize) -> Recordings {
    (1..=count)
        .fold(recordings, |recordings, number| recordings.file(&format!("in/talk{number:02}.wav"), &audio::wav(1500)))
}

#[tokio::test]
async fn two_broken_recordings_of_twenty_fail_alone() {
    let provider = Provider::start();
    let recordings = numbered(Recordings::with_key(&provider), 18)
        .file("in/broken.wav", b"this is no sound")
        .file("in/silent-film.mp4", &audio::recorded("video-only.mp4"));
    let ran = recordings.transcribe(&["in", "--output", "out/deeper"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let expected: Vec<_> = (1..=18).map(|number| format!("talk{number:02}.txt")).collect();
    assert_eq!(recordings.names("out/deeper"), expected);
    assert_eq!(recordings.text("out/deeper/talk07.txt"), format!("{TRANSCRIPT}\n"));
    for name in ["in/broken.wav", "in/silent-film.mp4"] {
        let told: Vec<_> =
            ran.stderr.lines().filter(|line| line.starts_with(&format!("{name}: invalid_audio: "))).collect();
        assert_eq!(told.len(), 1, "{}", ran.stderr);
    }
    assert!(ran.stderr.contains("18 of 20 recordings transcribed, 2 failed"), "{}", ran.stderr);
    assert_eq!(provider.requests(), 18);
}

#[tokio::test]
async fn a_stopped_run_goes_on_where_it_was() {
    let (provider, gate) = (Provider::start(), Gate::closed());
    let recordings = numbered(Recordings::with_key(&provider), 6);
    let answer = || Reply::stream().send(Framing::PLAIN.all(&events()));
    (0..3).for_each(|_| provider.answer(answer()));
    provider.answer_always(answer().held_by(&gate));
    let arguments = ["in", "--output", "out", "--jobs", "2"];
    let mut running = recordings.start(&arguments);
    provider.asked(5).await;
    let whole =
        async || if recordings.names("out").len() == 3 { Ok(()) } else { Err(recordings.names("out").join(" ")) };
    until("three are whole", whole).await;
    running.signal(Signal::SIGINT);
    assert_eq!(running.ended().await, Some(130));
    running.stderr.shows("3 of 6 recordings transcribed, 3 left; the same command goes on").await;
    assert_eq!(recordings.names("out").len(), 3, "something else was left behind: {:?}", recordings.names("out"));
    for name in recordings.names("out") {
        assert_eq!(recordings.text(&format!("out/{name}")), format!("{TRANSCRIPT}\n"), "{name}");
    }
    provider.recover();
    let again = recordings.transcribe(&arguments).succeeded();
    assert!(again.stderr.contains("3 of 6 recordings transcribed, 3 skipped"), "{}", again.stderr);
    assert_eq!(recordings.names("out").len(), 6);
    assert_eq!(provider.requests(), 8, "a recording that was transcribed was sent again");
    let third = recordings.transcribe(&arguments).succeeded();
    assert!(third.stderr.contains("--overwrite"), "{}", third.stderr);
    assert_eq!(provider.requests(), 8);
}

#[tokio::test]
async fn a_killed_run_leaves_no_half_transcript() {
    let (provider, gate) = (Provider::start(), Gate::closed());
    let recordings = numbered(Recordings::with_key(&provider), 1);
    let all = events();
    let (begin, rest) = (Framing::PLAIN.all(&all[..3]), Framing::PLAIN.all(&all[3..]));
    provider.answer(Reply::stream().send(begin).wait(&gate).send(rest));
    let mut running = recordings.start(&["in", "--output", "out", "--model", "gpt-4o-transcribe"]);
    provider.asked(1).await;
    running.signal(Signal::SIGKILL);
    running.ended().await;
    assert_eq!(recordings.names("out"), [""; 0]);
}

#[tokio::test]
async fn one_run_at_a_time_pays_for_a_folder() {
    let (provider, gate) = (Provider::start(), Gate::closed());
    let recordings = numbered(Recordings::with_key(&provider), 1);
    provider.answer(Reply::stream().send(Framing::PLAIN.all(&events())).held_by(&gate));
    let mut running = recordings.start(&["in", "--output", "out"]);
    provider.asked(1).await;
    recordings.transcribe(&["in", "--output", "out"]).was_refused(&["another run"]);
    gate.open();
    assert_eq!((running.ended().await, provider.requests()), (Some(0), 1));
}

#[tokio::test]
async fn a_name_with_a_line_break_is_a_name() {
    let provider = Provider::start();
    let recordings = Recordings::with_key(&provider).file("in/a\nb.wav", &audio::wav(1500));
    recordings.transcribe(&["in", "--output", "out"]).succeeded();
    assert_eq!(recordings.names("out"), ["a\nb.txt"]);
}

#[tokio::test]
async fn what_is_there_is_replaced_only_on_demand() {
    let provider = Provider::start();
    let recordings = Recordings::with_key(&provider).file("talk.wav", &audio::wav(1500)).file("out/talk.txt", b"mine");
    recordings.transcribe(&["talk.wav", "--output", "out"]).succeeded();
    assert_eq!((recordings.text("out/talk.txt").as_str(), provider.requests()), ("mine", 0));
    recordings.transcribe(&["talk.wav", "--output", "out", "--overwrite"]).succeeded();
    assert_eq!(recordings.text("out/talk.txt"), format!("{TRANSCRIPT}\n"));
}

#[tokio::test]
async fn recordings_of_one_name_are_refused_before_anything_is_sent() {
    let provider = Provider::start();
    let recordings = Recordings::with_key(&provider)
        .file("monday/talk.wav", &audio::wav(1500))
        .file("tuesday/Talk.wav", &audio::wav(1500));
    let ran = recordings.transcribe(&["monday", "tuesday", "--output", "out"]);
    ran.was_refused(&["monday/talk.wav", "tuesday/Talk.wav"]);
    assert_eq!((provider.requests(), recordings.path("out").exists()), (0, false));
}

#[tokio::test]
async fn several_texts_are_printed_in_the_order_of_the_recordings() {
    let (provider, gate) = (Provider::start(), Gate::closed());
    let long = audio::wav(2500);
    let recordings = numbered(Recordings::with_key(&provider), 1).file("in/talk03.wav", &long);
    // The recording that comes first is the last to be answered.
    let held = gate.clone();
    provider.answer_by(move |seen| {
        let answer = Reply::stream().send(Framing::PLAIN.all(&events()));
        if seen.file().body.len() >= long.len() { answer.held_by(&held) } else { answer }
    });
    let mut running = recordings.start(&["in/talk03.wav", "in/talk01.wav", "in/nothing.wav"]);
    running.stderr.shows("in/talk01.wav: transcribed").await;
    gate.open();
    assert_eq!(running.ended().await, Some(1));
    let expected = format!("==> in/talk03.wav <==\n{TRANSCRIPT}\n\n==> in/talk01.wav <==\n{TRANSCRIPT}");
    assert_eq!(running.stdout.text(), expected);
    running.stderr.shows("in/nothing.wav: cannot be read").await;
}

#[tokio::test]
async fn arguments_that_do_not_go_together_are_refused() {
    let provider = Provider::start();
    let recordings = numbered(Recordings::with_key(&provider), 2).file("empty/notes.txt", b"");
    for (arguments, word) in [
        (&["in", "--format", "srt"][..], "--output"),
        (&["in", "--stream"], "--stream"),
        (&["in/talk01.wav", "--stream", "--format", "srt"], "--format text"),
        (&["in", "--stream", "--output", "out"], "--stream"),
        (&["in", "--overwrite"], "--output"),
        (&["in", "--jobs", "17"], "16"),
        (&["-", "-"], "standard input"),
        (&["in/talk01.wav", "in/../in/talk01.wav"], "twice"),
        (&["empty"], "empty"),
        (&["in/talk01.wav", "--token", "abc"], "--url"),
        (&["in", "--output", "in/talk01.wav"], "--output"),
        (&[], "<FILE>"),
    ] {
        recordings.transcribe(arguments).was_refused(&[word]);
    }
    assert_eq!(provider.requests(), 0);
}
