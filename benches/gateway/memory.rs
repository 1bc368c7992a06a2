//! The rows about memory. Each has a gateway of its own, so that nothing is left over from another.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, pin_mut, stream};

use super::house::House;
use super::load::{self, Client};
use super::process::Process;
use super::uploads::Upload;

/// So many streams are opened at a time.
const OPENED_AT_ONCE: usize = 64;
/// How long memory is given to settle.
const SETTLING: Duration = Duration::from_secs(3);

/// Starts a gateway and lets it do what it does for the first time; gives its memory after that, in KiB.
async fn warm(house: &House, upload: &Upload) -> Result<u32, String> {
    let process = &house.gateway.process;
    let clients = load::clients(house.gateway.address, upload, 32).await?;
    load::keep_busy(clients, upload, Duration::from_millis(500)).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    process.forget_peak();
    Ok(process.resident())
}

/// So many uploads of clients that each take `span` for theirs, all open at once; gives the gateway's peak in KiB.
pub(crate) async fn slow_uploads(
    house: &House,
    upload: &Upload,
    (count, span): (usize, Duration),
) -> Result<u32, String> {
    let process = &house.gateway.process;
    let before = warm(house, &Upload::form(&house.tokens, 40_000)).await?;
    let (begun, start) = (&AtomicUsize::new(0), Instant::now());
    let clients = (0..count).map(|number| async move {
        // Not in step with each other.
        tokio::time::sleep(Duration::from_millis(u64::try_from(number).unwrap() * 4)).await;
        begun.fetch_add(1, Ordering::Relaxed);
        Client::new(house.gateway.address).ask_slowly(upload, number, span).await?.success()?;
        let open = begun.load(Ordering::Relaxed);
        if open == count { Ok(()) } else { Err(format!("one was over when only {open} had begun")) }
    });
    let mut seen = 0;
    let sent = sampled(try_join_all(clients), || seen = seen.max(process.resident())).await;
    sent?;
    let (peak, elapsed) = (process.peak(), start.elapsed().as_secs_f64());
    println!(
        "    {count} uploads of {} bytes in {elapsed:.1} s: resident before {}, at most {} (sampled: {}), right after {}",
        upload.body.len(),
        mib(before),
        mib(peak),
        mib(seen),
        mib(process.resident()),
    );
    Ok(peak)
}

/// So many recordings at once, which are split; gives the gateway's peak in KiB.
pub(crate) async fn recordings(house: &House, uploads: &[Upload], count: usize) -> Result<u32, String> {
    let process = &house.gateway.process;
    let before = warm(house, &Upload::form(&house.tokens, 40_000)).await?;
    let (start, cpu, pieces) = (Instant::now(), process.cpu(), house.provider.counts().answered);
    let clients = uploads.iter().cycle().take(count).enumerate();
    let clients = clients
        .map(|(number, upload)| async move { Client::new(house.gateway.address).ask(upload, number).await?.success() });
    try_join_all(clients).await?;
    println!(
        "    {count} recordings in {:.0} s, {:.0} s of CPU, {} pieces: resident before {}, at most {}, right after {}",
        start.elapsed().as_secs_f64(),
        process.cpu().saturating_sub(cpu).as_secs_f64(),
        house.provider.counts().answered - pieces,
        mib(before),
        mib(process.peak()),
        mib(process.resident()),
    );
    Ok(process.peak())
}

/// So many streams that are silent after their first event; gives what each takes of the gateway's memory, in KiB.
pub(crate) async fn idle_streams(house: &House, upload: &Upload, count: usize) -> Result<f64, String> {
    let process = &house.gateway.process;
    let before = warm(house, upload).await?;
    house.provider.hold(true);
    let open = (0..count).map(|number| Client::new(house.gateway.address).open(upload, number));
    let streams: Vec<_> = stream::iter(open).buffer_unordered(OPENED_AT_ONCE).try_collect().await?;
    let settled = settled(process).await;
    house.provider.hold(false);
    try_join_all(streams.into_iter().map(load::Stream::finish)).await?;
    let (peak, each) =
        (process.peak(), f64::from(settled.saturating_sub(before)) / f64::from(u32::try_from(count).unwrap()));
    println!(
        "    {count} idle streams: resident before {}, with them {}, at most {}, {} after they all ended well",
        mib(before),
        mib(settled),
        mib(peak),
        mib(process.resident()),
    );
    Ok(each)
}

/// The memory once it changes no more, in KiB.
pub(crate) async fn settled(process: &Process) -> u32 {
    tokio::time::sleep(SETTLING).await;
    let mut last = process.resident();
    loop {
        tokio::time::sleep(SETTLING / 3).await;
        let now = process.resident();
        if now.abs_diff(last) <= now / 200 {
            return now;
        }
        last = now;
    }
}

/// Does `work`, and calls `look` ten times a second meanwhile.
async fn sampled<T>(work: impl Future<Output = T>, mut look: impl FnMut()) -> T {
    pin_mut!(work);
    loop {
        tokio::select! {
            result = &mut work => return result,
            () = tokio::time::sleep(Duration::from_millis(100)) => look(),
        }
    }
}

fn mib(kib: u32) -> String {
    format!("{:.1} MiB", f64::from(kib) / 1024.0)
}
