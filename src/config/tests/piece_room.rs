//! The room for pieces in the spool.

use proptest::prelude::*;

use super::load;
use crate::config::PieceRoom;
use crate::domain::AudioMs;

const ENDLESS: AudioMs = AudioMs::new(u64::MAX);

fn room(toml: &str, length: AudioMs) -> PieceRoom {
    let settings = load(toml, &[]).unwrap();
    PieceRoom::new(
        &settings.speech,
        &settings.fixed.spool,
        settings.intake.max_audio_bytes,
        length,
        AudioMs::new(100_000),
    )
}

#[test]
fn a_small_spool_has_fewer_pieces_at_once_but_one() {
    assert_eq!(room("", ENDLESS).at_once.get(), 4);
    // 80000000 less 20000000 bytes are room for 18 pieces of 3300000 bytes, of which 2 are not at providers.
    let small = "[intake]\nmax_spool_disk_bytes = 100000000\nmax_audio_bytes = 20000000\n[speech]\npieces_at_once = 64";
    let planned = room(small, ENDLESS);
    assert_eq!((planned.at_once.get(), planned.available), (16, 60_000_000));
    assert!(planned.bytes(ENDLESS) <= planned.available);
    assert_eq!(room(small, AudioMs::new(1_000_000)).at_once.get(), 64, "all of a short recording fits");
    let tiny = "[intake]\nmax_spool_disk_bytes = 20000000\nmax_audio_bytes = 20000000";
    assert_eq!((room(tiny, ENDLESS).at_once.get(), room(tiny, ENDLESS).available), (1, 0));
}

proptest! {
    #[test]
    fn pieces_fit_unless_there_is_one_and_are_as_many_as_set_where_they_can_be(
        disk in 1..10_000_000_000_u64,
        at_once in 1..=64_u32,
        length in 0..90_000_000_u64,
    ) {
        let disk_key = format!("[intake]\nmax_spool_disk_bytes = {disk}\nmax_audio_bytes = 1\n");
        let planned = room(&format!("{disk_key}[speech]\npieces_at_once = {at_once}"), AudioMs::new(length));
        let fits = planned.bytes(AudioMs::new(length)) <= planned.available;
        prop_assert!(fits || planned.at_once.get() == 1);
        let one_more = planned.at_once.get() + 1;
        let more_bytes = (u64::from(one_more) + 2) * 100_000 * 33;
        prop_assert!(planned.at_once.get() == at_once || more_bytes > planned.available);
    }
}
