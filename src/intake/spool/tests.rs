use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::pin::pin;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use proptest::prelude::*;

use super::quota::Budget;
use super::state::{BLOCK, PIECE, bytes};
use super::*;
use crate::fair_share::{FairShare, Refused, ShareKey, Shares};

fn room(threshold: u64, memory: u64, disk: u64) -> Arc<SpoolQuota> {
    let (memory, disk) = (Arc::new(Budget::new(memory)), FairShare::new(Shares::new(disk).with_min_share(disk)));
    Arc::new(SpoolQuota { memory, disk, threshold, directory: std::env::temp_dir() })
}

fn roomy(threshold: usize) -> Arc<SpoolQuota> {
    room(threshold.try_into().unwrap(), 1 << 30, 1 << 30)
}

fn alice() -> ShareKey {
    ShareKey::of_caller("alice")
}

async fn write(room: &Arc<SpoolQuota>, chunks: &[&[u8]]) -> Result<Spool, SpoolError> {
    let mut writer = SpoolWriter::new(room, alice(), None)?;
    for chunk in chunks {
        writer.append(chunk).await?;
    }
    Ok(writer.finish().release())
}

async fn read_all(spool: &Spool) -> Vec<u8> {
    spool.chunks().map_ok(Vec::from).try_concat().await.unwrap()
}

#[tokio::test]
async fn a_recording_reads_the_same_from_memory_and_from_a_file_as_often_as_needed() {
    let block: Vec<u8> = (0..BLOCK - 1).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let chunks: [&[u8]; 5] = [b"start", &block, &block, &block, b"end"];
    let whole = chunks.concat();
    for threshold in [0, 5000, whole.len() - BLOCK, whole.len()] {
        let spool = write(&roomy(threshold), &chunks).await.unwrap();
        assert_eq!(spool.is_in_memory(), threshold >= whole.len(), "threshold {threshold}");
        assert_eq!(spool.length(), u64::try_from(whole.len()).unwrap());
        for _ in 0..2 {
            assert!(read_all(&spool).await == whole, "threshold {threshold}");
        }
        let (mut source, mut copy, mut end) = (spool.source(), Vec::new(), Vec::new());
        source.read_to_end(&mut copy).unwrap();
        assert!(copy == whole, "threshold {threshold}");
        source.seek(SeekFrom::End(-3)).unwrap();
        source.read_to_end(&mut end).unwrap();
        assert_eq!(end, b"end");
    }
}

#[tokio::test]
async fn a_large_recording_leaves_no_name_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let room = Arc::new(SpoolQuota { directory: directory.path().to_owned(), ..Arc::into_inner(roomy(1)).unwrap() });
    let spool = write(&room, &[&vec![7; 2 * BLOCK]]).await.unwrap();
    assert!(!spool.is_in_memory());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_reader_follows_the_writer_and_gets_the_last_byte_when_it_is_released() {
    const PIECE: usize = 32 * 1024;
    let mut writer = SpoolWriter::new(&roomy(60_000), alice(), Some(80_000)).unwrap();
    let early = writer.early(80_000);
    let mut chunks = pin!(early.chunks());
    let mut next = || chunks.next().now_or_never().map(|chunk| chunk.map(Result::unwrap));
    assert_eq!(next(), None, "nothing has arrived");
    writer.append(&vec![1; PIECE]).await.unwrap();
    assert_eq!(next(), Some(Some(vec![1; PIECE].into())));
    assert_eq!(next(), None);
    writer.append(&vec![2; 80_000 - PIECE]).await.unwrap();
    let held = writer.finish();
    assert_eq!(next(), Some(Some(vec![2; PIECE].into())));
    assert_eq!(next(), Some(Some(vec![2; 80_000 - 2 * PIECE - 1].into())));
    assert_eq!(next(), None, "the last byte is held back");
    let whole = held.release();
    assert_eq!(next(), Some(Some(vec![2].into())));
    assert_eq!(next(), Some(None));
    assert_eq!(read_all(&whole).await.len(), 80_000);
}

#[tokio::test]
async fn a_recording_that_is_given_up_or_has_another_length_is_an_error_for_who_began_to_read_it() {
    for (sent, finished) in [(9000, false), (9000, true), (11_000, true)] {
        let mut writer = SpoolWriter::new(&roomy(0), alice(), Some(10_000)).unwrap();
        let early = writer.early(10_000);
        writer.append(&vec![1; sent]).await.unwrap();
        if finished {
            writer.finish().release();
        } else {
            drop(writer);
        }
        let read = early.chunks().try_collect::<Vec<_>>().await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::UnexpectedEof, "{sent} {finished}");
    }
}

#[tokio::test]
async fn what_finds_no_room_in_memory_goes_to_a_file() {
    let room = room(1 << 20, 1 << 20, 1 << 30);
    let first = write(&room, &[&vec![1; 1 << 20]]).await.unwrap();
    let second = write(&room, &[&vec![2; 300 * 1024][..]; 3]).await.unwrap();
    assert!(first.is_in_memory() && !second.is_in_memory());
    drop(first);
    assert!(write(&room, &[&vec![3; 500 * 1024]]).await.unwrap().is_in_memory(), "the room was given back");
    assert_eq!(read_all(&second).await, vec![2; 900 * 1024]);
}

#[tokio::test]
async fn what_finds_no_room_at_all_is_refused_and_takes_none() {
    let room = room(0, 0, 1 << 20);
    assert_eq!(room.check(alice(), 1 << 20), Ok(()));
    assert_eq!(room.check(alice(), (1 << 20) + 1), Err(Refused::Exhausted));
    let held = write(&room, &[&vec![1; 300_000], &vec![1; 300_000]]).await.unwrap();
    assert_eq!(room.check(alice(), 600_000), Err(Refused::Exhausted), "a handle keeps its room");
    assert_eq!(SpoolWriter::new(&room, alice(), Some(600_000)).err(), Some(Refused::Exhausted));
    let unannounced = write(&room, &[&vec![1; 300_000], &vec![1; 300_000]]).await;
    assert!(matches!(unannounced, Err(SpoolError::NoRoom(Refused::Exhausted))));
    drop(held);
    assert_eq!(room.used(), SpoolUsage::default());
    assert_eq!(room.check(alice(), 1 << 20), Ok(()));
}

#[tokio::test]
async fn an_announced_size_takes_no_room_before_it_has_come() {
    const SIZE: u64 = 25_000_000;
    let room = room(1000, 0, 1 << 30);
    let mut writers = Vec::new();
    for _ in 0..1000 {
        let mut writer = SpoolWriter::new(&room, alice(), Some(SIZE)).unwrap();
        writer.append(&[1; 1000]).await.unwrap();
        writers.push(writer);
    }
    let disk = room.used().disk;
    assert_eq!(disk, 0, "it is in memory until there is a block of it");
    let mut writer = writers.pop().unwrap();
    writer.append(&vec![1; 3 * BLOCK]).await.unwrap();
    let disk = room.used().disk;
    assert!((BLOCK..4 * BLOCK).contains(&usize::try_from(disk).unwrap()), "{disk}");
    drop((writers, writer));
    assert_eq!(room.used(), SpoolUsage::default());
}

#[tokio::test]
async fn one_caller_leaves_room_to_others_and_a_recording_that_grows_is_refused() {
    let room = SpoolQuota {
        disk: FairShare::new(Shares::new(10 << 20).with_min_share(1 << 20)),
        ..Arc::into_inner(room(0, 0, 0)).unwrap()
    };
    let room = Arc::new(room);
    let mut writer = SpoolWriter::new(&room, alice(), None).unwrap();
    let mut written = 0;
    let refused = loop {
        match writer.append(&vec![1; BLOCK]).await {
            Ok(()) => written += BLOCK,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, SpoolError::NoRoom(Refused::OverShare)), "{refused:?}");
    assert!((7 << 20..=8 << 20).contains(&written), "{written}");
    assert_eq!(room.check(alice(), 1 << 20), Err(Refused::OverShare));
    let bob = ShareKey::of_caller("bob");
    assert_eq!(room.check(bob, 1 << 20), Ok(()));
    let mut his = SpoolWriter::new(&room, bob, Some(1 << 20)).unwrap();
    his.append(&vec![2; 1 << 20]).await.unwrap();
    drop(writer);
    assert_eq!(room.check(alice(), 7 << 20), Ok(()));
}

/// Writes a recording whose first four bytes are known last.
fn write_blocking(room: &Arc<SpoolQuota>, chunks: &[&[u8]]) -> Result<Spool, SpoolError> {
    let mut writer = BlockingWriter::new(&SpoolRoom::reserve(room, alice(), 0)?, 4);
    for chunk in chunks {
        writer.append(chunk)?;
    }
    writer.finish(b"head")
}

#[tokio::test]
async fn a_recording_made_here_reads_as_written_and_its_head_is_the_last_word() {
    for length in [0, 1, PIECE - 4, PIECE, 5 * PIECE, 300_000] {
        let body: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let whole = [b"head", &body[..]].concat();
        for (threshold, memory) in [(0, 1 << 20), (1 << 20, 1 << 20), (1 << 20, 0), (1 << 20, 50_000)] {
            let room = room(threshold, memory, 1 << 30);
            let (start, end) = body.split_at(length / 3);
            let spool = write_blocking(&room, &[start, end]).unwrap();
            assert_eq!(spool.length(), bytes(whole.len()));
            assert!(read_all(&spool).await == whole, "{length} {threshold} {memory}");
            let mut copy = Vec::new();
            spool.source().read_to_end(&mut copy).unwrap();
            assert!(copy == whole && !spool.is_arriving());
            let is_small = bytes(whole.len()) <= memory.min(bytes(PIECE));
            let fits = whole.len() <= 4 * PIECE && threshold.min(memory) >= bytes(4 * PIECE);
            assert_eq!(spool.is_in_memory(), is_small || fits, "{length} {threshold} {memory}");
            let used = room.used();
            assert!(used.memory <= bytes(BLOCK) && used.memory + used.disk >= bytes(whole.len()), "{used:?}");
            drop(spool);
            assert_eq!(room.used(), SpoolUsage::default());
        }
    }
}

#[test]
fn a_recording_made_here_that_finds_no_room_leaves_nothing() {
    let room = room(0, 0, 100_000);
    assert!(matches!(write_blocking(&room, &[&vec![1; 200_000]]), Err(SpoolError::NoRoom(Refused::Exhausted))));
    assert_eq!(room.used(), SpoolUsage::default());
    let mut writer = BlockingWriter::new(&SpoolRoom::reserve(&room, alice(), 0).unwrap(), 0);
    writer.append(&vec![1; 90_000]).unwrap();
    assert!(room.used().disk > 0);
    drop(writer);
    assert_eq!(room.used(), SpoolUsage::default());
}

#[test]
fn while_the_disk_is_full_room_is_in_memory_that_is_there_for_sure_or_refused() {
    let size = 9 * PIECE;
    let quota = room(bytes(size), bytes(2 * size), 100);
    let _full = quota.disk.try_acquire(alice(), 100).unwrap();
    let reserve = |count: usize| SpoolRoom::reserve(&quota, alice(), bytes(count));
    assert!(matches!(reserve(size + 1), Err(Refused::Exhausted)), "it is above the threshold");
    let (kept, other) = (reserve(size).unwrap(), reserve(size).unwrap());
    assert!(matches!(reserve(1), Err(Refused::Exhausted)), "the memory is taken");
    assert_eq!(quota.used().memory, bytes(2 * size));
    for parts in [vec![size], vec![5 * PIECE, 4 * PIECE]] {
        let pieces: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let mut writer = BlockingWriter::new(&kept, 4);
                writer.append(&vec![1; part - 4]).unwrap();
                writer.finish(b"head").unwrap()
            })
            .collect();
        assert!(pieces.iter().all(Spool::is_in_memory));
        let mut more = BlockingWriter::new(&kept, 0);
        let too_much = more.append(&vec![1; size + 1]);
        assert!(too_much.is_err() || more.finish(b"").is_err());
    }
    drop(other);
    assert_eq!(quota.used().memory, bytes(size));
    let mut writer = BlockingWriter::new(&kept, 0);
    writer.append(&[1; 10]).unwrap();
    let piece = writer.finish(b"").unwrap();
    drop(kept);
    assert_eq!(quota.used().memory, bytes(size), "a piece keeps its room");
    drop(piece);
    assert_eq!(quota.used().memory, 0);
}

#[test]
fn room_that_grows_is_there_at_the_start_and_not_taken() {
    let quota = room(0, 0, 100_000);
    assert!(matches!(SpoolRoom::growing(&quota, alice(), 100_001), Err(Refused::Exhausted)));
    let room = SpoolRoom::growing(&quota, alice(), 100_000).unwrap();
    assert_eq!(quota.used().disk, 0);
    let mut writer = BlockingWriter::new(&room, 0);
    writer.append(&vec![1; 90_000]).unwrap();
    let piece = writer.finish(b"").unwrap();
    assert_eq!(quota.used().disk, 90_000);
    room.handle().reserve(100_000).unwrap();
    drop(piece);
    assert_eq!(quota.used().disk, 100_000, "all of it is reserved now");
    drop(room);
    assert_eq!(quota.used(), SpoolUsage::default());
}

#[tokio::test]
async fn one_can_wait_for_more_bytes_or_for_the_end() {
    let mut writer = SpoolWriter::new(&roomy(1 << 20), alice(), None).unwrap();
    writer.append(&vec![1; PIECE]).await.unwrap();
    let spool = writer.early(bytes(2 * PIECE));
    let readable = spool.readable();
    assert_eq!(readable, bytes(PIECE));
    assert!(spool.wait_beyond(readable - 1).now_or_never().is_some());
    let mut more = pin!(spool.wait_beyond(readable));
    assert!(more.as_mut().now_or_never().is_none());
    writer.append(&vec![1; PIECE]).await.unwrap();
    assert!(more.now_or_never().is_some());
    let mut last = pin!(spool.wait_beyond(spool.readable()));
    let held = writer.finish();
    assert!(last.as_mut().now_or_never().is_none(), "the last byte is held back");
    held.release();
    assert!(last.now_or_never().is_some());
    assert!(spool.wait_beyond(spool.readable()).now_or_never().is_some(), "it is complete");
    let given_up = SpoolWriter::new(&roomy(1 << 20), alice(), None).unwrap().early(10);
    assert!(given_up.wait_beyond(0).now_or_never().is_some());
}

#[tokio::test]
async fn a_source_is_not_read_on_when_nobody_waits_for_it() {
    for threshold in [0, 1 << 20] {
        let spool = write(&roomy(threshold), &[&vec![7; 2 * BLOCK]]).await.unwrap();
        let cancelled = Arc::default();
        let mut source = spool.source_until(&cancelled);
        let mut piece = [0; 100];
        source.read_exact(&mut piece).unwrap();
        cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(source.read(&mut piece).unwrap_err().kind(), ErrorKind::ConnectionAborted);
        spool.source().read_exact(&mut piece).unwrap();
    }
}

proptest! {
    #[test]
    fn whatever_the_pieces_and_whenever_it_is_read_the_bytes_are_those_that_came(
        pieces in prop::collection::vec(prop_oneof![1..200_usize, 3000..9000_usize, 60_000..300_000_usize], 0..12),
        threshold in prop_oneof![Just(0), Just(50_000), Just(1 << 30)],
        memory in prop_oneof![Just(0), Just(1_u64 << 30)],
        reads in prop::collection::vec(any::<bool>(), 12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let total = pieces.iter().sum::<usize>();
            let whole: Vec<u8> = (0..total).map(|i| u8::try_from(i % 253).unwrap()).collect();
            let mut writer = SpoolWriter::new(&room(threshold, memory, 1 << 30), alice(), None).unwrap();
            let early = writer.early(total.try_into().unwrap());
            let (mut follower, mut followed, mut rest) = (pin!(early.chunks()), Vec::new(), &whole[..]);
            for (length, read) in pieces.into_iter().zip(reads) {
                let (piece, after) = rest.split_at(length);
                rest = after;
                writer.append(piece).await.unwrap();
                // The follower reads once, so that it falls behind and must catch up from the file.
                if read && let Some(chunk) = follower.next().now_or_never() {
                    followed.extend_from_slice(&chunk.unwrap().unwrap());
                }
            }
            let spool = writer.finish().release();
            while let Some(chunk) = follower.next().await {
                followed.extend_from_slice(&chunk.unwrap());
            }
            assert!(followed == whole);
            assert!(read_all(&spool).await == whole);
        });
    }
}
