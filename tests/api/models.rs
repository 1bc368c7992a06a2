//! Which models a caller may use is a matter of their plan.

use serde_json::json;

use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, Setup, TRANSCRIPTIONS};
use crate::support::{audio, token};

const PLANS: &str = r#"
[plans.small]
models = ["whisper-1"]
[plans.wide]
models = ["gpt-transcribe", "*"]
"#;

async fn gateway() -> Gateway {
    Setup::new().config(PLANS).start().await
}

async fn ask(gateway: &Gateway, plan: Option<&str>, model: &str) -> Answer {
    let token = token::with(&json!({ "plan": plan }));
    let request = gateway.request(reqwest::Method::POST, TRANSCRIPTIONS).bearer_auth(token);
    gateway.send(Form::new().field("model", model).file(&audio::wav(300)).on(request)).await
}

#[tokio::test]
async fn a_plan_decides_which_models_there_are() {
    let gateway = gateway().await;
    let cases = [
        (None, "gpt-transcribe", 200, ""),
        (None, "whisper-1", 200, ""),
        (Some("default"), "whisper-1", 200, ""),
        (None, "no-such-model", 404, "model_not_found"),
        (Some("small"), "whisper-1", 200, ""),
        (Some("small"), "gpt-transcribe", 403, "model_not_allowed"),
        (Some("small"), "no-such-model", 404, "model_not_found"),
        (Some("wide"), "gpt-transcribe", 200, ""),
        (Some("wide"), "a-model-of-tomorrow", 200, ""),
    ];
    for (plan, model, status, code) in cases {
        let answer = ask(&gateway, plan, model).await;
        assert_eq!(answer.status, status, "{plan:?} {model}: {}", answer.text());
        if status == 200 {
            assert_eq!(gateway.provider.last().field("model"), Some(model));
        } else {
            answer.is_error(status, code, Some("model"));
        }
    }
    ask(&gateway, Some("nobody-has-it"), "whisper-1").await.is_error(403, "unknown_plan", None);
}

#[tokio::test]
async fn the_list_of_models_is_the_callers_own_in_openais_shape() {
    let gateway = gateway().await;
    for (plan, present, absent) in
        [("default", "gpt-transcribe", "no-such-model"), ("small", "whisper-1", "gpt-transcribe")]
    {
        let token = token::with(&json!({ "plan": plan, "scope": "transcribe" }));
        let request = gateway.request(reqwest::Method::GET, "/v1/models").bearer_auth(token);
        let answer = gateway.send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let list = answer.json();
        assert_eq!(list["object"], "list");
        let models = list["data"].as_array().unwrap();
        for model in models {
            assert_eq!(model["object"], "model");
            assert!(model["id"].is_string() && model["created"].is_u64() && model["owned_by"].is_string(), "{model}");
        }
        let ids: Vec<_> = models.iter().map(|model| model["id"].as_str().unwrap()).collect();
        assert!(ids.contains(&present) && !ids.contains(&absent), "{plan}: {ids:?}");
    }
    let request = gateway.request(reqwest::Method::GET, "/v1/models");
    gateway.send(request).await.is_error(401, "invalid_token", None);
}

#[tokio::test]
async fn one_model_is_had_by_its_name_with_slashes_or_without() {
    let toml = "[models.\"Systran/faster-whisper-small\"]\nprovider = \"openai\"\n[models.\"a b+c%d\"]\nprovider = \"openai\"\n\
                [plans.small]\nmodels = [\"whisper-1\"]\n";
    let gateway = Setup::new().config(toml).start().await;
    for (path, name) in [
        ("whisper-1", "whisper-1"),
        ("Systran/faster-whisper-small", "Systran/faster-whisper-small"),
        ("Systran%2Ffaster-whisper-small", "Systran/faster-whisper-small"),
        ("Systran%2ffaster%2Dwhisper-small", "Systran/faster-whisper-small"),
        ("a%20b+c%25d", "a b+c%d"),
        ("a%20b%2Bc%25d", "a b+c%d"),
    ] {
        let answer = gateway.send(gateway.get(&format!("/v1/models/{path}"))).await;
        let mut told = answer.json();
        assert!(told.as_object_mut().unwrap().remove("voxgate").unwrap().is_object(), "{told}");
        let model = json!({ "id": name, "object": "model", "created": 0, "owned_by": "openai" });
        assert_eq!((answer.status, told), (200, model), "{path}");
        let line = gateway.log.request(answer.request_id()).await;
        assert_eq!(line["route"], "/v1/models/{model}", "{line}");
    }
    // Each that is listed is there, as it is listed.
    let list = gateway.send(gateway.get("/v1/models")).await.json();
    for model in list["data"].as_array().unwrap() {
        let path = model["id"].as_str().unwrap().replace('%', "%25").replace(' ', "%20");
        assert_eq!(gateway.send(gateway.get(&format!("/v1/models/{path}"))).await.json(), *model);
    }
    for path in ["no-such-model", "whisper-1/", "Systran", "Systran/faster-whisper-small/x", "whisper-1%00", "%2F"] {
        let answer = gateway.send(gateway.get(&format!("/v1/models/{path}"))).await;
        answer.is_error(404, "model_not_found", Some("model"));
        assert_eq!(answer.error()["type"], "invalid_request_error");
    }
    // One that the plan does not have is not there for its callers.
    let token = token::with(&json!({ "plan": "small" }));
    for (name, status) in [("whisper-1", 200), ("gpt-transcribe", 404)] {
        let request = gateway.request(reqwest::Method::GET, &format!("/v1/models/{name}")).bearer_auth(&token);
        assert_eq!(gateway.send(request).await.status, status, "{name}");
    }
    let request = gateway.request(reqwest::Method::GET, "/v1/models/whisper-1");
    gateway.send(request).await.is_error(401, "invalid_token", None);
    gateway.send(gateway.post("/v1/models/whisper-1")).await.is_error(405, "method_not_allowed", None);
    gateway.send(gateway.get("/v1/models/")).await.is_error(404, "not_found", None);
}

#[tokio::test]
async fn each_model_says_what_a_caller_can_ask_of_it() {
    let toml = "[models.free]\nprovider = \"openai\"\n\
                [models.narrow]\ntasks = [\"translate\"]\nformats = [\"text\"]\noptions = [\"prompt\"]\nstreams = false\n\
                max_seconds = 30\nusd_per_minute = \"0.01\"\n\
                [plans.short]\nmax_recording_seconds = 90\naudio_seconds_per_minute = 60\n";
    let abilities = async |gateway: &Gateway, plan: &str, model: &str| {
        let token = token::with(&json!({ "plan": plan }));
        let request = gateway.request(reqwest::Method::GET, &format!("/v1/models/{model}")).bearer_auth(token);
        gateway.send(request).await.json()["voxgate"].clone()
    };
    let split = Setup::new().config(toml).start().await;
    let narrow = json!({
        "tasks": ["translate"],
        "formats": ["text"],
        "options": ["prompt"],
        "streams": false,
        "timestamps": "none",
        "live": "none",
        "max_seconds": 14400,
        "usd_per_minute": "0.01",
    });
    assert_eq!(abilities(&split, "default", "narrow").await, narrow);
    assert_eq!(abilities(&split, "short", "narrow").await["max_seconds"], 60);
    let free = abilities(&split, "default", "free").await;
    assert_eq!((&free["usd_per_minute"], &free["max_seconds"]), (&json!(null), &json!(14400)), "{free}");
    assert_eq!(
        (free["options"].as_array().unwrap().len(), free["formats"].as_array().unwrap().len()),
        (10, 6),
        "{free}"
    );
    let times = abilities(&split, "default", "gpt-transcribe").await;
    assert_eq!(times["formats"], json!(["json", "text", "srt", "verbose_json", "vtt"]));
    assert_eq!((&times["timestamps"], &times["usd_per_minute"]), (&json!("pieces"), &json!("0.0045")), "{times}");

    let whole = Setup::new().config(toml).env("VOXGATE_SPEECH__SPLIT", "false").start().await;
    assert_eq!(abilities(&whole, "default", "narrow").await["max_seconds"], 30);
    assert_eq!(abilities(&whole, "short", "narrow").await["max_seconds"], 30);
    let untimed = abilities(&whole, "default", "gpt-transcribe").await;
    assert_eq!((&untimed["formats"], &untimed["timestamps"]), (&json!(["json", "text"]), &json!("none")), "{untimed}");
}
