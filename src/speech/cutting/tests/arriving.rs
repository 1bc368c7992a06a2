//! Recordings that are cut while they arrive.

use super::*;

/// A recording of which half has arrived.
async fn half(bytes: &[u8]) -> (SpoolWriter, Cutting) {
    let (_, info) = spool(bytes).await;
    let mut writer = SpoolWriter::new(&quota(1 << 30), alice(), Some(info.bytes)).unwrap();
    writer.append(&bytes[..bytes.len() / 2]).await.unwrap();
    let audio = writer.early(info.bytes);
    let cutting = Cutting::start(
        &pool(),
        alice(),
        room(&quota(1 << 30)),
        audio,
        info,
        short_pieces().with_silence(),
        Encoding::Flac,
    );
    (writer, cutting)
}

#[tokio::test]
async fn pieces_come_before_the_recording_is_whole() {
    let samples = voice(480_000);
    let bytes = wav(&samples);
    let (mut writer, mut cutting) = half(&bytes).await;
    let mut pieces = vec![cutting.next_piece().await.unwrap().unwrap()];
    writer.append(&bytes[bytes.len() / 2..]).await.unwrap();
    let held = writer.finish();
    let release = async {
        tokio::task::yield_now().await;
        held.release()
    };
    let rest = async {
        while let Some(piece) = cutting.next_piece().await.unwrap() {
            pieces.push(piece);
        }
    };
    tokio::join!(rest, release);
    let mut joined = Vec::new();
    for piece in &pieces {
        joined.append(&mut decoded(piece).await);
    }
    assert!(joined == samples);
}

/// Works on until more than some bytes must be readable, or to the end.
fn work(machine: &mut Machine, pieces: &mut Vec<Piece>) -> Option<u64> {
    loop {
        match machine.turn(&Turn::over()).transpose().unwrap() {
            None => {}
            Some(Outcome::Piece(piece)) => pieces.push(piece),
            Some(Outcome::NotArrived { readable }) => return Some(readable),
            Some(Outcome::End) => return None,
        }
    }
}

#[tokio::test]
async fn nothing_beyond_the_claimed_length_comes_before_the_measurement() {
    // Ten seconds are claimed, and thirty are there.
    let samples = voice(480_000);
    let bytes = wav(&samples);
    let (_, measured) = spool(&bytes).await;
    let claimed = MediaInfo { length: Length::AtMost(AudioMs::new(10_000)), ..measured };
    let mut writer = SpoolWriter::new(&quota(1 << 30), alice(), Some(measured.bytes)).unwrap();
    let audio = writer.early(measured.bytes);
    writer.append(&bytes).await.unwrap();
    let held = writer.finish();
    let measurement = LateMeasurement::default();
    let order = Order {
        max: None,
        silent_until: Arc::default(),
        audio,
        info: claimed,
        late: Some(measurement.clone()),
        cancelled: Arc::default(),
    };
    let mut machine = Machine::new(order, room(&quota(1 << 30)), short_pieces().with_silence(), Encoding::Flac);
    let mut pieces = Vec::new();
    let readable = work(&mut machine, &mut pieces);
    assert_eq!(readable, Some(measured.bytes - 1), "it waits until the last byte is released");
    let until = pieces.last().unwrap().span.end;
    assert!(until <= Samples::from_ms(10_500), "{until:?}");
    measurement.set(measured);
    held.release();
    assert_eq!(work(&mut machine, &mut pieces), None);
    let mut joined = Vec::new();
    for piece in &pieces {
        joined.append(&mut decoded(piece).await);
    }
    assert!(joined == samples);
}

#[tokio::test]
async fn a_recording_that_stops_arriving_is_an_error() {
    let (writer, mut cutting) = half(&wav(&voice(480_000))).await;
    assert!(cutting.next_piece().await.unwrap().is_some());
    drop(writer);
    let broken = async {
        loop {
            if let Err(error) = cutting.next_piece().await {
                return error;
            }
        }
    };
    assert!(matches!(broken.await, SpeechError::Io(_)));
}
