//! Every command and every example of the README is run as it is written: against a gateway of this build, with the fixed
//! address in them replaced by where that one listens.

use serde_json::json;
use tempfile::TempDir;

use crate::support::gateway::{Gateway, Setup};
use crate::support::live::{parse, whole_text};
use crate::support::newcomer::Newcomer;
use crate::support::provider::{KEY, Reply, TRANSCRIPT};
use crate::support::repository::{self, readme_block, readme_blocks};
use crate::support::talk::Talk;
use crate::support::token;
use crate::support::tools::{TOOLS, require_tool};

const ADDRESS: &str = "127.0.0.1:8080";

/// What each block is about, by what its first line begins with. One that is not here is one that nobody runs.
const BLOCKS: [(&str, &str); 17] = [
    ("text", "   browser, script, OpenAI SDK"),
    ("sh", "git clone "),
    ("text", "Voxgate listens on"),
    ("sh", WITH_A_KEY),
    ("sh", "url=http://"),
    ("sh", TRANSCRIBE),
    ("sh", LIVE),
    ("python", "import os\nfrom openai import OpenAI"),
    ("js", "import fs from"),
    ("html", "<!doctype html>"),
    ("sh", "VOXGATE_CORS__ORIGINS="),
    ("sh", "voxgate token --sub alice"),
    ("sh", "[ -e voxgate.toml ] || cat > voxgate.toml"),
    ("sh", "# The headers of the answer"),
    ("toml", "[providers.groq]"),
    ("sh", CONTAINERS),
    ("sh", CONTAINERS_WITHOUT_A_KEY),
];
const LIVE: &str = "arecord -q -t raw";
const TRANSCRIBE: &str = "export OPENAI_API_KEY=sk-…\nvoxgate transcribe";
const WITH_A_KEY: &str = "mkdir -p -m 700 secrets\n\
                          [ -s secrets/jwt_secret ] || openssl rand -hex 32 > secrets/jwt_secret\nexport";
const CONTAINERS: &str = "mkdir -p -m 700 secrets\n\
                          [ -s secrets/jwt_secret ] || openssl rand -hex 32 > secrets/jwt_secret\n[ -s";
const CONTAINERS_WITHOUT_A_KEY: &str = "mkdir -p -m 700 secrets\n\
                                        [ -s secrets/jwt_secret ] || openssl rand -hex 32 > secrets/jwt_secret\nchmod";

fn local(text: &str, gateway: &Gateway) -> String {
    text.replace(ADDRESS, &gateway.address.to_string())
}

/// A gateway with nothing set, and the token that it prints.
async fn sandbox() -> (Gateway, String) {
    let setup = Setup::new().without("OPENAI_API_KEY").without("OPENAI_BASE_URL").without("VOXGATE_JWT_SECRET");
    let gateway = setup.on_a_terminal().start().await;
    let found = |line: &str| line.trim().strip_prefix("export VOXGATE_TOKEN=").map(str::to_owned);
    let token = gateway.banner().find("a token", found).await;
    (gateway, token)
}

#[test]
fn every_block_of_the_readme_is_known_here() {
    let blocks = readme_blocks();
    let known = |(kind, text): &(String, String)| {
        BLOCKS.iter().any(|(is, beginning)| is == kind && text.starts_with(beginning))
    };
    for block in &blocks {
        assert!(known(block), "nobody runs this block of the README:\n{}", block.1);
    }
    assert_eq!(blocks.len(), BLOCKS.len(), "a block is gone");
}

/// Of the README, of what it leads to, and of the list of targets.
#[test]
fn every_target_of_make_that_is_named_is_there() {
    let makefile = std::fs::read_to_string(repository::path("Makefile")).unwrap();
    let pages = ["README.md", "CONTRIBUTING.md", "docs/README.md", "docs/operations.md", "docs/tokens.md"];
    let mut named = 0;
    for page in pages {
        let text = std::fs::read_to_string(repository::path(page)).unwrap();
        for rest in text.split("make ").skip(1).zip(text.split("make ")).filter_map(|(rest, before)| {
            // In code: at the begin of a line, or after a backtick.
            (before.ends_with('`') || before.ends_with('\n') || before.ends_with("toml ")).then_some(rest)
        }) {
            let target: String =
                rest.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '-').collect();
            assert!(makefile.contains(&format!("\n{target}: ")), "{page}: make {target}");
            named += 1;
        }
    }
    assert!(named > 8, "the pages are not read: {named}");
    // What the tests put in its place is built in another profile, and nothing else.
    assert!(makefile.contains("from the sandbox\n\tcargo run --release\n"));
}

/// Links within the README, and from it and the index to files and their chapters.
#[test]
fn every_link_leads_somewhere() {
    let anchors = |text: &str| -> Vec<String> {
        let headings = text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#'));
        let word = |letter: char| letter.is_alphanumeric() || " -_".contains(letter);
        headings
            .map(|line| line.trim().to_lowercase().chars().filter(|c| word(*c)).collect::<String>())
            .map(|line| line.replace(' ', "-"))
            .collect()
    };
    let mut links = 0;
    for page in ["README.md", "docs/README.md", "docs/operations.md"] {
        let file = repository::path(page);
        let text = std::fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            if path.starts_with("http") {
                continue;
            }
            links += 1;
            let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(target.exists(), "{page}: {link}");
            if !anchor.is_empty() {
                let chapters = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(chapters.iter().any(|chapter| chapter == anchor), "{page}: {link} is none of {chapters:?}");
            }
        }
    }
    assert!(links > 60, "the links are not read: {links}");
}

/// A second time a block is pasted is one more start, and no other secret: every token would be refused.
#[test]
fn every_file_that_the_page_for_contributors_names_is_there() {
    let page = repository::text("CONTRIBUTING.md");
    let names = page.split('`').skip(1).step_by(2).filter(|name| {
        ["src/", "tests/", "docs/"].iter().any(|folder| name.starts_with(folder)) && !name.contains(' ')
    });
    let missing: Vec<_> = names.filter(|name| !repository::path(name).exists()).collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(page.matches("`src/").count() > 10, "the tables are not read");
}

#[tokio::test]
async fn a_secret_that_is_there_is_kept_by_every_block() {
    for beginning in [WITH_A_KEY, CONTAINERS, CONTAINERS_WITHOUT_A_KEY] {
        let newcomer = Newcomer::new();
        newcomer.tool("make", "true");
        newcomer.tool("docker", "echo eyJ");
        newcomer.tool("curl", "true");
        std::fs::create_dir_all(newcomer.path("deploy/compose")).unwrap();
        std::fs::write(newcomer.path("deploy/compose/local.env"), "A=1\n").unwrap();
        let secret = newcomer.path("secrets/jwt_secret");
        let key = [("OPENAI_API_KEY", "sk-of-a-newcomer")];
        newcomer.pastes(&readme_block(beginning), &key).await;
        let first = std::fs::read_to_string(&secret).unwrap();
        assert!(first.trim().len() >= 64, "{beginning}");
        for changed in
            ["secrets/openai_api_key", ".env"].map(|name| newcomer.path(name)).iter().filter(|at| at.exists())
        {
            std::fs::write(changed, "of mine").unwrap();
        }
        newcomer.pastes(&readme_block(beginning), &key).await;
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), first, "{beginning}");
        for kept in ["secrets/openai_api_key", ".env"].map(|name| newcomer.path(name)).iter().filter(|at| at.exists()) {
            assert_eq!(std::fs::read_to_string(kept).unwrap(), "of mine", "{}", kept.display());
        }
    }
}

#[test]
fn the_sentence_of_the_sample_is_the_one_that_the_readme_tells() {
    let readme = std::fs::read_to_string(repository::path("README.md")).unwrap();
    let made = std::fs::read_to_string(repository::path("tests/media/make.sh")).unwrap();
    let spoken = made.split("sentence.wav\" \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(readme.contains(&format!("*{spoken}*")), "{spoken}");
}

#[tokio::test]
async fn what_the_readme_says_that_a_start_prints_is_printed() {
    let (gateway, token) = sandbox().await;
    gateway.banner().find("the end", |line| line.contains("Ctrl-C").then_some(())).await;
    let printed = gateway.banner().text().replace(&token, "eyJ…");
    let shown = local(&readme_block("Voxgate listens on"), &gateway);
    let shown = shown.replace("127.0.0.1:9464", &gateway.ops_address.to_string());
    for line in shown.lines().filter(|line| !line.is_empty()) {
        // What is long is cut short there.
        let line = line.trim_end_matches('…').trim_end();
        assert!(printed.contains(line), "{line:?} is not in:\n{printed}");
    }
    let pasted = &printed[printed.find("curl ").unwrap()..];
    let pasted = pasted.split("\n\n").next().unwrap();
    let answer = Newcomer::new().pastes(pasted, &[("VOXGATE_TOKEN", &token)]).await;
    assert!(answer.contains("sandbox"), "{answer}");
}

#[tokio::test]
async fn audio_can_be_sent_in_each_way_of_the_readme() {
    let (gateway, token) = sandbox().await;
    let commands = local(&readme_block("url=http://"), &gateway);
    let said = Newcomer::new().pastes(&commands, &[("VOXGATE_TOKEN", &token)]).await;
    let (texts, events) = (said.matches("{\"text\":").count(), said.matches("data: ").count());
    assert_eq!(texts, commands.matches("curl ").count() - 1, "{said}");
    assert!(events > 1 && said.contains("data: [DONE]"), "{said}");
}

#[tokio::test]
async fn limits_and_usage_are_shown_as_the_readme_says() {
    let newcomer = Newcomer::new();
    let (listening, _) = newcomer.starts(&readme_block("[ -e voxgate.toml ]"), &[]).await;
    assert!(listening["address"].is_string());
    let toml = std::fs::read_to_string(newcomer.path("voxgate.toml")).unwrap();
    let gateway = Setup::new().config(&toml).start().await;
    let commands = local(&readme_block("# The headers of the answer"), &gateway);
    let said = newcomer.pastes(&commands, &[("VOXGATE_TOKEN", &token::good())]).await;
    for expected in ["x-ratelimit-remaining-requests: ", TRANSCRIPT, "\"requests\":1"] {
        assert!(said.contains(expected), "no {expected} in {said}");
    }
}

#[tokio::test]
async fn a_start_with_a_key_is_the_real_thing() {
    let commands = readme_block(WITH_A_KEY).replace("sk-…", "sk-of-a-newcomer");
    let newcomer = Newcomer::new();
    let (listening, said) = newcomer.starts(&commands, &[]).await;
    assert!(listening["address"].is_string());
    assert!(!said.contains("SANDBOX"), "{said}");
    // In a second terminal with the same secret, as it says.
    let secret = [("VOXGATE_JWT_SECRET_FILE", "secrets/jwt_secret")];
    let token = newcomer.pastes("target/release/voxgate token --sub alice 2>/dev/null", &secret).await;
    assert!(token.starts_with("eyJ") && token.lines().count() == 1, "{token}");
}

#[tokio::test]
async fn a_page_of_another_address_is_allowed_as_the_readme_says() {
    let (listening, _) = Newcomer::new().starts(&readme_block("VOXGATE_CORS__ORIGINS="), &[]).await;
    assert!(listening["address"].is_string());
    let origin = readme_block("VOXGATE_CORS__ORIGINS=").split(['=', ' ']).nth(1).unwrap().to_owned();
    let gateway = Setup::new().env("VOXGATE_CORS__ORIGINS", &origin).start().await;
    let asked = gateway.get("/v1/models").header("origin", &origin);
    assert_eq!(gateway.send(asked).await.header("access-control-allow-origin"), Some(origin.as_str()));
}

#[tokio::test]
async fn the_commands_in_the_readme_do_what_it_says() {
    let newcomer = Newcomer::new();
    let gateway = Gateway::start().await;
    let commands = format!("{{ {}; }} 2>/dev/null", readme_block("voxgate token").trim());
    let token = newcomer.pastes(&commands, &[("VOXGATE_JWT_SECRET", token::SECRET)]).await;
    let answer = gateway.request(reqwest::Method::GET, "/v1/models").bearer_auth(token.trim());
    assert_eq!(gateway.send(answer).await.status, 200);
    for arguments in [["check"], ["usage"]] {
        let output = gateway.command(&arguments);
        assert!(output.status.success(), "{output:?}");
    }
}

#[tokio::test]
async fn recordings_are_transcribed_from_the_command_line_as_the_readme_says() {
    let (newcomer, gateway) = (Newcomer::new(), Gateway::start().await);
    std::fs::create_dir(newcomer.path("recordings")).unwrap();
    std::fs::copy(repository::path("tests/media/sample.wav"), newcomer.path("recordings/talk.wav")).unwrap();
    let commands = local(&readme_block(TRANSCRIBE), &gateway).replace("sk-…", KEY);
    let (home, token) = (newcomer.path("home"), token::good());
    let variables = [
        ("OPENAI_BASE_URL", gateway.provider.base_url()),
        ("HOME", home.to_str().unwrap().to_owned()),
        ("VOXGATE_TOKEN", token),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let said = newcomer.pastes(&commands, &variables).await;
    assert_eq!(said.matches(TRANSCRIPT).count(), 3, "{said}");
    assert!(newcomer.path("subtitles/talk.srt").exists(), "{said}");
}

#[tokio::test]
async fn the_microphone_is_piped_into_the_gateway_as_the_readme_says() {
    let (newcomer, gateway) = (Newcomer::new(), Gateway::start().await);
    gateway.provider.answer_always(Reply::json(200, &json!({ "text": "Turn." })));
    let sound = newcomer.path("sound");
    std::fs::write(&sound, Talk::default().says(1).pause(700).says(1).pcm()).unwrap();
    newcomer.tool("arecord", &format!("[ \"$*\" = '-q -t raw -f S16_LE -r 16000' ] && exec cat '{}'", sound.display()));
    let commands = format!("{{ {}; }} 2>/dev/null", local(&readme_block(LIVE), &gateway).trim());
    let said = newcomer.pastes(&commands, &[("VOXGATE_TOKEN", &token::good())]).await;
    assert_eq!(whole_text(&parse(&said)), "Turn. Turn.");
}

#[tokio::test]
async fn the_provider_of_the_readme_is_one_that_the_gateway_takes() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, crate::support::provider::key("groq")).unwrap();
    let toml = readme_block("[providers.groq]").replace("/run/secrets/groq_key", key.to_str().unwrap());
    let gateway = Setup::new().config(&toml).start().await;
    let models = gateway.send(gateway.get("/v1/models")).await;
    assert!(models.text().contains("\"groq-turbo\""), "{}", models.text());
}

#[tokio::test]
async fn the_examples_in_python_and_javascript_run() {
    let gateway = Gateway::start().await;
    let newcomer = Newcomer::new();
    let token = token::good();
    let Some(python) = require_tool(".test-tools/python/bin/python", TOOLS) else { return };
    let Some(node) = require_tool(".test-tools/node", TOOLS) else { return };
    let write = |name: &str, text: String| {
        std::fs::write(newcomer.path(name), local(&text, &gateway)).unwrap();
        newcomer.path(name)
    };
    let in_python = write("example.py", readme_block("import os\nfrom openai"));
    let in_node = write("transcribe.mjs", readme_block("import fs from"));
    for (program, script) in [(&python, in_python), (&node, in_node)] {
        let mut command = newcomer.command(program, &[("VOXGATE_TOKEN", &token)]);
        command.arg(&script);
        let said = newcomer.said(command).await;
        assert!(said.contains(TRANSCRIPT), "{}: {said}", script.display());
    }
    assert_eq!(gateway.provider.requests(), 2);
}

#[test]
fn the_commands_for_containers_are_run_where_there_is_an_engine() {
    let script = std::fs::read_to_string(repository::path("tests/containers.sh")).unwrap();
    // It takes every block of that chapter as it stands.
    assert!(script.contains("pasted '## Docker'"), "tests/containers.sh does not take its commands from the README");
}
