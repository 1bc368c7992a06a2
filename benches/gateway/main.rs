//! What the gateway costs, beside nginx and beside nothing at all: `cargo bench --bench gateway` starts all that it needs,
//! measures row by row and prints the table at the end. docs/performance.md explains it.
//!
//! `cargo bench --bench gateway -- 40k-1 1m-32` measures these rows; `--list` names them all. `ROUNDS=` and `SECONDS=` set
//! how often and how long each target is measured; `HOURS=` how long the recordings of split-16 are; `BEFORE=path/to/voxgate`
//! names another build to measure in turn. `-- soak` is another thing: two minutes, or `SECONDS=`, of steady load. So is
//! `-- live`, which comes after all rows too: live sessions, `SESSIONS=` at once for a minute, or `SECONDS=`.
//!
//! # Layout
//!
//! - `rows`: what is measured and what must come of it; `rounds`: rows that compare; `memory`: rows about memory;
//!   `splitting`: rows about long recordings
//! - `house`: all that a row needs: `proxies` (the gateway with its Redis, nginx) and `provider`
//! - `load`: the clients; `uploads` and `recordings`: what they send; `wire`: HTTP as they and the provider speak it
//! - `soak`: steady load before a provider that fails; `accounts`: what is charged for it
//! - `live`: live sessions
//! - `process`: the processor's time and the memory of a process; `machine`: what it is, and what else it does
//! - `table`: what is printed

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that fails may say so in any way"
)]

mod accounts;
mod house;
mod live;
mod load;
mod machine;
mod memory;
mod process;
mod provider;
mod proxies;
mod recordings;
#[path = "../../tests/support/redis.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod redis_server;
mod rounds;
mod rows;
mod soak;
mod splitting;
mod table;
mod uploads;
mod wire;

use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use house::House;
use live::Crowd;
use rounds::Pace;
use rows::{ROWS, Row};

fn main() -> ExitCode {
    // Cargo says that this is a benchmark; rows have no dashes before them.
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for row in &ROWS {
            println!("{:<12} {}", row.name, row.title);
        }
        return ExitCode::SUCCESS;
    }
    raise_open_files();
    // One thread for all clients, so that they leave the other cores to what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if arguments.iter().any(|argument| argument == "soak") {
        let span = Duration::from_secs_f64(variable("SECONDS", 120.0));
        return if runtime.block_on(soak::run(span)) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let live = || {
        live::run(Crowd {
            sessions: variable("SESSIONS", 500),
            length: Duration::from_secs_f64(variable("SECONDS", 60.0)),
        })
    };
    if arguments.iter().any(|argument| argument == "live") {
        return runtime.block_on(live());
    }
    let known = |name: &String| ROWS.iter().any(|row| row.name == name);
    if let Some(unknown) = arguments.iter().find(|name| !known(name)) {
        println!("There is no row {unknown}; --list names those that there are.");
        return ExitCode::FAILURE;
    }
    let wanted = |row: &&Row| arguments.is_empty() || arguments.iter().any(|name| name == row.name);
    let rows = runtime.block_on(measure(ROWS.iter().filter(wanted).collect()));
    if arguments.is_empty() && runtime.block_on(live()) != ExitCode::SUCCESS { ExitCode::FAILURE } else { rows }
}

async fn measure(rows: Vec<&'static Row>) -> ExitCode {
    let pace = Pace { rounds: variable("ROUNDS", 5), span: Duration::from_secs_f64(variable("SECONDS", 2.0)) };
    let (mut house, mut findings) = (None::<House>, Vec::new());
    for row in rows {
        println!("{}: {}", row.name, row.title);
        let finding = row.measure(&mut house, pace).await;
        if let Err(error) = &finding {
            println!("    FAILED: {error}");
            // Whatever is wrong shall not spoil the next row.
            house = None;
        }
        findings.push((row, finding));
    }
    table::print(&findings, &proxies::versions());
    // How fast it is decides nothing; that every request was answered does.
    if findings.iter().all(|(_, finding)| finding.is_ok()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn variable<T: FromStr>(name: &str, usual: T) -> T {
    let Ok(text) = std::env::var(name) else { return usual };
    text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number"))
}

/// Thousands of connections are that many files, here and in the processes that are started.
fn raise_open_files() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
}
