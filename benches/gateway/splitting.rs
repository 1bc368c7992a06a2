//! The rows about recordings that are split: what that costs, beside ffmpeg that does the same with the sound.

use std::path::Path;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use tempfile::TempDir;

use super::house::House;
use super::load::Client;
use super::proxies::Build;
use super::recordings::{self, Format};
use super::rounds::{Figures, Pace};
use super::uploads::Upload;

const HOUR: Duration = Duration::from_hours(1);
/// A round takes as long as many rounds of other rows, and differs little from the next.
const MAX_ROUNDS: usize = 2;

/// Every round of a row: the processor's time, in seconds, for an hour of sound.
pub(crate) async fn run(name: &str, format: Format, pace: Pace) -> Result<Vec<Figures>, String> {
    let recording = format.recording(HOUR);
    let this = House::of(&Build::this());
    let before = Build::before().map(|build| House::of(&build));
    let upload = Upload::file(&this.tokens, &recording);
    let mut rounds = Vec::new();
    for number in 1..=pace.rounds.min(MAX_ROUNDS) {
        let mut figures = Figures { ffmpeg: Some(by_ffmpeg(&recording)), ..Figures::default() };
        figures.voxgate = Some(by_gateway(&this, &upload).await?);
        if let Some(before) = &before {
            let found = by_gateway(before, &upload).await;
            figures.before = found.inspect_err(|error| println!("    voxgate before: {error}")).ok();
        }
        println!("{name}, round {number}:");
        for (target, cpu) in
            [("ffmpeg", figures.ffmpeg), ("voxgate", figures.voxgate), ("voxgate before", figures.before)]
        {
            if let Some(cpu) = cpu {
                println!("    {target:<17}CPU {cpu:>7.2} s, {:>5.0} × real time", HOUR.as_secs_f64() / cpu);
            }
        }
        rounds.push(figures);
    }
    this.print_warnings();
    Ok(rounds)
}

/// Sends a recording; gives what all of that took of the gateway: the upload, the sound, and the requests of the pieces.
async fn by_gateway(house: &House, upload: &Upload) -> Result<f64, String> {
    let (cpu, pieces) = (house.gateway.process.cpu(), house.provider.counts().answered);
    Client::new(house.gateway.address).ask(upload, 0).await?.success()?;
    if house.provider.counts().answered < pieces + 2 {
        return Err("it was not split".to_owned());
    }
    Ok(house.gateway.process.cpu().saturating_sub(cpu).as_secs_f64())
}

/// Has ffmpeg decode a recording to 16 kHz, one channel, look for silence, and encode it as FLAC, on one thread.
fn by_ffmpeg(recording: &Path) -> f64 {
    const FILTERS: &str =
        "aresample=16000,aformat=sample_fmts=s16:channel_layouts=mono,silencedetect=noise=-35dB:d=0.13";
    let (folder, cpu) = (TempDir::new().unwrap(), cpu_of_children());
    let mut command = recordings::ffmpeg();
    command.args(["-threads", "1", "-filter_threads", "1", "-i"]).arg(recording);
    command.args(["-af", FILTERS, "-c:a", "flac", "-threads", "1"]).arg(folder.path().join("sound.flac"));
    assert!(command.status().expect("ffmpeg is there").success(), "ffmpeg does not decode {}", recording.display());
    cpu_of_children().saturating_sub(cpu).as_secs_f64()
}

/// The processor's time of all children that have ended.
fn cpu_of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let times = [usage.user_time(), usage.system_time()];
    times
        .map(|time| Duration::from_micros(u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap()))
        .iter()
        .sum()
}
