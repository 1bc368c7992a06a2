//! `voxgate transcribe --live` where the network or the gateway fails: every word comes once.

use serde_json::json;

use crate::support::cutting_proxy::CuttingProxy;
use crate::support::gateway::{Gateway, Setup};
use crate::support::live::numbered;
use crate::support::poll::until;
use crate::support::provider::{Gate, Reply};
use crate::support::speaker::Speaker;
use crate::support::token;
use crate::support::transcribe::Recordings;

async fn gateway(config: &str) -> Gateway {
    let gateway = Setup::new().config(config).start().await;
    gateway.provider.answer_by(numbered());
    gateway
}

fn behind(proxy: &CuttingProxy, gateway: &Gateway) -> Recordings {
    Recordings::with_gateway(gateway).env("VOXGATE_URL", &proxy.url())
}

#[tokio::test]
async fn answers_that_are_lost_lose_no_words() {
    let gateway = gateway("").await;
    let proxy = CuttingProxy::to(gateway.address);
    let mut speaker = Speaker::pcm(&behind(&proxy, &gateway), &[]);
    speaker.session().await;
    proxy.loses_every(4);
    for number in 1..=3 {
        speaker.says_a_sentence();
        speaker.stdout.shows(&format!("Turn {number}.")).await;
    }
    speaker.ends_with("Turn 1. Turn 2. Turn 3.\n").await;
    assert!(proxy.lost() > 1, "{} were lost", proxy.lost());
    assert_eq!(gateway.provider.requests(), 3);
}

#[tokio::test]
async fn what_is_said_while_the_network_is_away_is_heard_later() {
    let gateway = gateway("").await;
    let proxy = CuttingProxy::to(gateway.address);
    let mut speaker = Speaker::pcm(&behind(&proxy, &gateway), &[]);
    speaker.says_a_sentence();
    speaker.stdout.shows("Turn 1.").await;
    proxy.goes_away();
    speaker.says_a_sentence();
    speaker.stderr.shows("is asked again and again").await;
    speaker.says_a_sentence();
    proxy.comes_back();
    speaker.stdout.shows("Turn 1. Turn 2. Turn 3.").await;
    speaker.stderr.shows("the gateway answers again").await;
    speaker.ends_with("Turn 1. Turn 2. Turn 3.\n").await;
}

#[tokio::test]
async fn a_gateway_that_dies_gets_what_was_not_heard_again() {
    let gateway = gateway("").await;
    let proxy = CuttingProxy::to(gateway.address);
    let mut speaker = Speaker::pcm(&behind(&proxy, &gateway), &["--format", "json"]);
    speaker.says_a_sentence();
    speaker.stdout.shows("transcript.text.segment").await;
    let never = Gate::closed();
    gateway.provider.answer(Reply::json(200, &json!({ "text": "Nobody hears this." })).held_by(&never));
    speaker.says_a_sentence();
    gateway.provider.asked(2).await;
    let gateway = gateway.killed_and_started_again().await;
    proxy.leads_to(gateway.address);
    speaker.stderr.shows("another session goes on with what was not heard").await;
    speaker.says_a_sentence();
    speaker.stdout.shows("Turn 3.").await;
    speaker.falls_silent();
    assert_eq!(speaker.ended().await, Some(0), "{}", speaker.stderr.text());
    speaker.stdout.shows("transcript.text.done").await;
    let lines: Vec<serde_json::Value> =
        speaker.stdout.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let segments: Vec<_> = lines.iter().filter(|line| line["type"] == "transcript.text.segment").collect();
    assert_eq!(
        segments.iter().map(|segment| segment["id"].as_str().unwrap()).collect::<Vec<_>>(),
        ["seg_0", "seg_1", "seg_2"]
    );
    // Each sentence begins four seconds after the one before, in whatever session it is heard.
    let start = |number: usize| segments[number]["start"].as_f64().unwrap();
    assert!((3.8..4.3).contains(&start(1)) && (7.8..8.3).contains(&start(2)), "{segments:?}");
    assert_eq!(lines.last().unwrap()["text"], "Turn 1. Turn 2. Turn 3.");
}

#[tokio::test]
async fn a_session_that_ends_in_a_pause_is_followed_by_another() {
    let gateway = gateway("[live]\nidle_timeout = \"400ms\"\n").await;
    let mut speaker = Speaker::pcm(&Recordings::with_gateway(&gateway), &[]);
    speaker.says_a_sentence();
    let id = speaker.session().await;
    until("the session has ended", async || {
        let session = gateway.send(gateway.get(&format!("/v1/live/{id}"))).await.json();
        if session["status"] == "ended" { Ok(()) } else { Err(session) }
    })
    .await;
    speaker.says_a_sentence();
    speaker.stdout.shows("Turn 1. Turn 2.").await;
    assert_ne!(speaker.session().await, id);
    speaker.ends_with("Turn 1. Turn 2.\n").await;
}

#[tokio::test]
async fn a_token_that_expires_is_read_again_from_its_file() {
    let gateway = gateway("[identity]\nleeway = \"1ms\"\n").await;
    let expiring = token::with(&json!({ "exp": token::now() + 5 }));
    let recordings = Recordings::with_gateway(&gateway).env("VOXGATE_TOKEN", "").file("token", expiring.as_bytes());
    let mut speaker = Speaker::pcm(&recordings, &["--token-file", "token"]);
    speaker.says_a_sentence();
    speaker.stdout.shows("Turn 1.").await;
    until("the token has expired", async || {
        let request = gateway.request(reqwest::Method::GET, "/v1/models").bearer_auth(&expiring);
        let status = request.send().await.unwrap().status();
        if status == 401 { Ok(()) } else { Err(status) }
    })
    .await;
    let recordings = recordings.file("token", token::good().as_bytes());
    speaker.says_a_sentence();
    speaker.stdout.shows("Turn 1. Turn 2.").await;
    speaker.stderr.shows("the token was refused").await;
    speaker.ends_with("Turn 1. Turn 2.\n").await;
    drop(recordings);
}

#[tokio::test]
async fn a_container_whose_session_is_lost_is_an_error() {
    let gateway = gateway("").await;
    let proxy = CuttingProxy::to(gateway.address);
    let mut speaker = Speaker::start(&behind(&proxy, &gateway), &["--live"]);
    speaker.plays(&crate::support::talk::Talk::default().says(1).pause(900).wav());
    speaker.stdout.shows("Turn 1.").await;
    let gateway = gateway.killed_and_started_again().await;
    proxy.leads_to(gateway.address);
    assert_eq!(speaker.ended().await, Some(1));
    speaker.stderr.shows("another session cannot go on in the middle of a recording").await;
    speaker.prints("Turn 1.\n").await;
}

#[tokio::test]
async fn a_used_up_rate_of_audio_delays_words_and_loses_none() {
    let plan = "[plans.default]\naudio_seconds_per_minute = 60\naudio_burst_seconds = 5\n";
    let gateway = gateway(plan).await;
    let mut speaker = Speaker::pcm(&Recordings::with_gateway(&gateway), &[]);
    for _ in 0..3 {
        speaker.says_a_sentence();
    }
    speaker.ends_with("Turn 1. Turn 2. Turn 3.\n").await;
}
