//! Ten gateways on one Redis, two hundred callers who want more than they may, and gateways that are killed at random: at
//! the end nobody has had more than their plan allows, and every nano-dollar is accounted for.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use voxgate::config::{Namespace, OnStoreFailure, Redis, RedisUrl, Store};
use voxgate::domain::Month;
use voxgate::ledger::{Charge, Ending, Entry};
use voxgate::store::LedgerReader;

use crate::support::account::Account;
use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Gateway, Setup, TRANSCRIPTIONS};
use crate::support::poll::let_pass;
use crate::support::provider::Provider;
use crate::support::redis_server::Server;

/// The plans, which callers have by turns.
const PLAN_NAMES: [&str; 2] = ["rated", "budgeted"];

const GATEWAYS: usize = 10;
const CALLERS: usize = 200;
const BUDGETED: u64 = 100;
/// How long callers ask, in seconds; `VOXGATE_FLEET_SECONDS` says otherwise.
const LOAD: u64 = 12;
/// When a machine is too slow for this.
const GIVE_UP: Duration = Duration::from_mins(5);
const KILL_EVERY: Duration = Duration::from_millis(600);

/// Rates that two hundred callers exceed on a slow machine too.
const PLANS: &str = r#"
[upstream]
response_timeout = "10s"
[plans.rated]
requests_per_minute = 6
burst = 4
audio_seconds_per_minute = 2
audio_burst_seconds = 1
max_concurrent = 6
[plans.budgeted]
monthly_usd = "0.0003"       # about 20 recordings
"#;

const REQUESTS_PER_MINUTE: u64 = 6;
const BURST: u64 = 4;
const AUDIO_PER_MINUTE_MS: u64 = 2_000;
const AUDIO_BURST_MS: u64 = 1000;
const BUDGET: u64 = 300_000;
/// What a millisecond costs in billionths of a dollar.
const PRICE: u64 = 75;

fn span_of_load() -> Duration {
    let seconds = std::env::var("VOXGATE_FLEET_SECONDS").ok();
    Duration::from_secs(seconds.map_or(LOAD, |seconds| seconds.parse().expect("VOXGATE_FLEET_SECONDS is no number")))
}

fn random(below: usize) -> usize {
    usize::try_from(uuid::Uuid::new_v4().as_u128() % u128::try_from(below).unwrap()).unwrap()
}

/// The gateways, and where they can be found at the moment.
struct Fleet {
    gateways: Vec<tokio::sync::Mutex<Option<Gateway>>>,
    addresses: Vec<Mutex<SocketAddr>>,
    kills: AtomicUsize,
    /// How often each plan has refused.
    refused: [AtomicUsize; PLAN_NAMES.len()],
    stop: AtomicBool,
}

impl Fleet {
    async fn start(provider: &Arc<Provider>, redis: &str) -> Self {
        // A machine that is too busy for ten gateways shall make them wait for Redis, not go on without it.
        let setup = || {
            let setup = Setup::with_provider(Arc::clone(provider)).config(PLANS).env("REDIS_URL", redis);
            setup.env("VOXGATE_REDIS__TIMEOUT", "10s").env("VOXGATE_ON_STORE_FAILURE", "deny")
        };
        let gateways = join_all((0..GATEWAYS).map(|_| setup().env("VOXGATE_SERVER__WORKERS", "1").start())).await;
        Self {
            addresses: gateways.iter().map(|gateway| Mutex::new(gateway.address)).collect(),
            gateways: gateways.into_iter().map(|gateway| tokio::sync::Mutex::new(Some(gateway))).collect(),
            kills: AtomicUsize::new(0),
            refused: Default::default(),
            stop: AtomicBool::new(false),
        }
    }

    /// Kills one gateway after the other, each in the middle of whatever it does, until there was enough of it: a machine
    /// with much else to do takes longer.
    async fn kill(&self) {
        let (begin, load) = (Instant::now(), span_of_load());
        while begin.elapsed() < load || !self.was_a_test() && begin.elapsed() < load + GIVE_UP {
            let_pass(KILL_EVERY).await;
            let at = random(GATEWAYS);
            let mut gateway = self.gateways[at].lock().await;
            let again = gateway.take().unwrap().killed_and_started_again().await;
            *self.addresses[at].lock().unwrap() = again.address;
            *gateway = Some(again);
            self.kills.fetch_add(1, Ordering::Relaxed);
        }
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether both plans have refused often, and gateways have been killed meanwhile.
    fn was_a_test(&self) -> bool {
        let often = |refused: &AtomicUsize| refused.load(Ordering::Relaxed) > CALLERS * 3;
        self.refused.iter().all(often) && self.kills.load(Ordering::Relaxed) > 10
    }

    /// Asks for more than the plan allows until the load is over; how often it was let in, and how often not.
    async fn use_up(&self, account: &Account, plan: usize) -> (u64, u64) {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let (mut answered, mut refused) = (0_u64, 0_u64);
        while !self.stop.load(Ordering::Relaxed) {
            let address = *self.addresses[random(GATEWAYS)].lock().unwrap();
            let request = client.post(format!("http://{address}{TRANSCRIPTIONS}")).bearer_auth(account.token());
            let audio = audio::wav(100 + random(200));
            // A gateway that dies under a request gives no answer.
            let Ok(answer) = Form::new().file(&audio).on(request).send().await else { continue };
            match answer.status().as_u16() {
                200 => answered += 1,
                429 => {
                    refused += 1;
                    self.refused[plan].fetch_add(1, Ordering::Relaxed);
                    // Not as long as told: the limits shall have something to do.
                    let_pass(Duration::from_millis(u64::try_from(random(300)).unwrap())).await;
                }
                other => panic!("{other}: {}", answer.text().await.unwrap()),
            }
        }
        (answered, refused)
    }

    async fn stop(self) {
        join_all(self.gateways.into_iter().map(|gateway| async {
            let mut gateway = gateway.into_inner().unwrap();
            gateway.terminate();
            assert_eq!(gateway.ended().await.code(), Some(0));
        }))
        .await;
    }
}

/// That no span of time has more of something than a burst and what comes back meanwhile.
fn within_rate(entries: &[Entry], amount: impl Fn(&Entry) -> u64, per_minute: u64, burst: u64, slack: u64) {
    for (first, from) in entries.iter().enumerate() {
        let mut sum = 0;
        for to in &entries[first..] {
            sum += amount(to);
            // Times are whole milliseconds.
            let span = to.at.get() - from.at.get() + 1;
            let allowed = burst + slack + (span * per_minute).div_ceil(60_000);
            assert!(sum <= allowed, "{} had {sum} in {span} ms where {allowed} are allowed", from.subject);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_more_than_their_plan_from_a_fleet_that_is_being_killed() {
    let server = Server::start();
    let provider = Arc::new(Provider::start());
    let fleet = Fleet::start(&provider, &server.url()).await;
    let plan = |at: usize| PLAN_NAMES[at % PLAN_NAMES.len()];
    let accounts: Vec<_> = (0..CALLERS).map(|at| Account::of(&format!("caller-{at}"), plan(at))).collect();
    let load = accounts.iter().enumerate().map(|(at, account)| fleet.use_up(account, at % PLAN_NAMES.len()));
    let (counts, ()) = tokio::join!(join_all(load), fleet.kill());
    assert!(fleet.was_a_test(), "this was no test: {:?} refused, {:?} killed", fleet.refused, fleet.kills);
    let kills = fleet.kills.load(Ordering::Relaxed);
    fleet.stop().await;

    // What the provider was sent, by the gateway's name for it.
    let mut seen: HashMap<String, u64> = HashMap::new();
    for request in provider.all() {
        let ms = u64::try_from((request.file().body.len() - 44) / 32).unwrap();
        let again = seen.insert(request.header("x-client-request-id").unwrap().to_owned(), ms);
        assert_eq!(again, None, "a request was sent twice");
    }
    assert_eq!(provider.faults(), Vec::<String>::new());

    let settings = Store {
        data_dir: "unused".into(),
        max_pending: 1,
        redis: Some(Redis {
            url: server.url().parse::<RedisUrl>().unwrap(),
            timeout: Duration::from_secs(5),
            namespace: Namespace::default(),
        }),
        on_failure: OnStoreFailure::Local,
        keep_records: Duration::from_hours(24 * 62),
        namespace: Namespace::default(),
    };
    let books = LedgerReader::open(&settings).unwrap();
    let month = Month::of(voxgate::domain::UnixMs::now());
    let (mut counter, mut ledger, mut open) = (Charge::NONE, Charge::NONE, Charge::NONE);
    let mut endings: BTreeMap<Ending, u64> = BTreeMap::new();
    for (at, account) in accounts.iter().enumerate() {
        let subject = account.subject.parse().unwrap();
        let (statement, entries) =
            (books.statement(&subject, month).await.unwrap(), books.entries(Some(&subject), month).await.unwrap());
        let total = statement.total.charge();
        counter = counter.plus(total);
        for entry in &entries {
            *endings.entry(entry.ending).or_default() += 1;
            if entry.ending == Ending::Open {
                open = open.plus(entry.cost);
            } else {
                ledger = ledger.plus(entry.cost);
            }
            let sent = seen.remove(&entry.info.request_id);
            match entry.ending {
                Ending::Answered => assert_eq!(entry.cost.usd.get(), sent.unwrap() * PRICE),
                // Killed: before the provider had it, or after.
                Ending::Open => assert_eq!(entry.cost.usd.get(), sent.unwrap_or(entry.audio.get()) * PRICE),
                other => panic!("{other}: {entry:?}"),
            }
        }
        if plan(at) == "rated" {
            within_rate(&entries, |_| 1, REQUESTS_PER_MINUTE, BURST, 0);
            // A cell of the bucket is rounded down by less than a microsecond for each.
            within_rate(&entries, |entry| entry.audio.get(), AUDIO_PER_MINUTE_MS, AUDIO_BURST_MS, 1);
        } else {
            assert!(total.usd.get() <= BUDGET, "{} has spent {}", account.subject, total.usd);
        }
    }
    let (answered, refused) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    let of = |ending| endings.get(&ending).copied().unwrap_or_default();
    writeln!(
        std::io::stderr(),
        "\n{GATEWAYS} gateways, {CALLERS} callers, {:?}, {kills} killed: {answered} answered, {refused} refused; ledger \
         {} records, {} nano-USD; open (of the killed) {}, {} nano-USD; counter {} nano-USD; the provider was asked for {}",
        span_of_load(),
        of(Ending::Answered),
        ledger.usd.get(),
        of(Ending::Open),
        open.usd.get(),
        counter.usd.get(),
        provider.requests(),
    )
    .unwrap();
    assert_eq!(counter, ledger.plus(open));
    assert_eq!(seen, HashMap::new(), "the provider did work that nobody is charged for");
    // A gateway that was killed between an answer and its settlement left it open.
    assert!(of(Ending::Answered) + of(Ending::Open) >= answered);
    // Those with a budget used it up, so that it was put to the test.
    assert!(counter.usd.get() > BUDGET * BUDGETED / 2, "{counter:?}");
}
