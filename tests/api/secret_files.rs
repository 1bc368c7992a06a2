//! Secrets and settings in files as editors write them: with a byte order mark, with line breaks, in UTF-16.

use std::path::PathBuf;

use reqwest::Method;
use tempfile::TempDir;

use crate::support::form::Form;
use crate::support::gateway::{Setup, TRANSCRIPTIONS, run};
use crate::support::provider::KEY;
use crate::support::{audio, token};

const MARK: &str = "\u{feff}";

struct Folder(TempDir);

impl Folder {
    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path: PathBuf = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_byte_order_mark_and_line_breaks_are_no_part_of_a_secret() {
    let folder = Folder(TempDir::new().unwrap());
    for ending in ["", "\n", "\r\n", "\r\n\r\n"] {
        let secret = folder.write("secret", format!("{MARK}{}{ending}", token::SECRET));
        let key = folder.write("key", format!("{MARK}{KEY}{ending}"));
        let settings = format!("{MARK}[plans.default]\nrequests_per_minute = 60{ending}");
        let setup = Setup::new().without("VOXGATE_JWT_SECRET").without("OPENAI_API_KEY").config(&settings);
        let gateway = setup.env("VOXGATE_JWT_SECRET_FILE", &secret).env("OPENAI_API_KEY_FILE", &key).start().await;
        // The provider refuses every other key.
        let request = gateway.request(Method::POST, TRANSCRIPTIONS).bearer_auth(token::good());
        let got = gateway.send(Form::new().file(&audio::wav(300)).on(request)).await;
        assert_eq!(got.status, 200, "{ending:?}: {}", got.text());
    }
    let marked = format!("{MARK}{}", token::SECRET);
    let gateway = Setup::new().env("VOXGATE_JWT_SECRET", &marked).start().await;
    assert_eq!(gateway.send(gateway.get("/v1/models")).await.status, 200);
}

#[test]
fn a_file_in_utf_16_is_refused_in_words_and_not_shown() {
    let folder = Folder(TempDir::new().unwrap());
    let utf_16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let secret = folder.write("secret", utf_16(&format!("{MARK}{}", token::SECRET)));
    let bare = folder.write("bare", utf_16(token::SECRET));
    let settings = folder.write("voxgate.toml", utf_16(&format!("{MARK}[cors]\n")));
    for (name, path) in [
        ("VOXGATE_JWT_SECRET_FILE", &secret),
        ("VOXGATE_JWT_SECRET_FILE", &bare),
        ("OPENAI_API_KEY_FILE", &secret),
        ("VOXGATE_CONFIG", &settings),
    ] {
        let output = run(&["check"], &[(name, path)], folder.0.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("save it as UTF-8") && said.contains(path.as_str()),
            "{name}: {said}"
        );
        assert!(!said.contains(token::SECRET), "{name}: {said}");
    }
}
