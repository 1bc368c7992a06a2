use proptest::prelude::*;

use super::*;
use crate::config::Settings;

const ENDLESS: AudioMs = AudioMs::new(u64::MAX);

fn planned(toml: &str, length: AudioMs) -> PiecesInSpool {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    let settings = Settings::load(Some(file.path())).unwrap();
    PiecesInSpool::new(
        &settings.speech,
        &settings.fixed.spool,
        settings.intake.max_audio_bytes,
        length,
        AudioMs::new(100_000),
    )
}

#[test]
fn a_small_spool_has_fewer_pieces_at_once_but_one() {
    assert_eq!(planned("", ENDLESS).at_once.get(), 4);
    // 80000000 less 20000000 bytes are room for 18 pieces of 3232000 bytes, of which 2 are not at providers.
    let small = "[intake]\nmax_spool_disk_bytes = 100000000\nmax_audio_bytes = 20000000\n[speech]\npieces_at_once = 64";
    let pieces = planned(small, ENDLESS);
    assert_eq!((pieces.at_once.get(), pieces.available), (16, 60_000_000));
    assert!(pieces.bytes(ENDLESS) <= pieces.available);
    assert_eq!(planned(small, AudioMs::new(1_000_000)).at_once.get(), 64, "all of a short recording fits");
    let tiny = "[intake]\nmax_spool_disk_bytes = 20000000\nmax_audio_bytes = 20000000";
    assert_eq!((planned(tiny, ENDLESS).at_once.get(), planned(tiny, ENDLESS).available), (1, 0));
}

proptest! {
    #[test]
    fn pieces_fit_unless_there_is_one_and_are_as_many_as_set_where_they_can_be(
        disk in 1..10_000_000_000_u64,
        at_once in 1..=64_u32,
        length in 0..90_000_000_u64,
    ) {
        let disk_key = format!("[intake]\nmax_spool_disk_bytes = {disk}\nmax_audio_bytes = 1\n");
        let pieces = planned(&format!("{disk_key}[speech]\npieces_at_once = {at_once}"), AudioMs::new(length));
        let fits = pieces.bytes(AudioMs::new(length)) <= pieces.available;
        prop_assert!(fits || pieces.at_once.get() == 1);
        let one_more = pieces.at_once.get() + 1;
        let more_bytes = (u64::from(one_more) + 2) * 100 * MAX_BYTES_PER_SECOND;
        prop_assert!(pieces.at_once.get() == at_once || more_bytes > pieces.available);
    }
}
