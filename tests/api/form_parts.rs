//! Forms as clients write them: file names and texts in any charset, lengths that are wrong, boundaries of any kind, the
//! recording under another name.

use crate::support::audio;
use crate::support::form::Form;
use crate::support::gateway::{Answer, Gateway, TRANSCRIPTIONS};

fn disposition(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"")
}

/// Sends a form that is written by hand. `\r\n` stands for a line's end in `parts`, each a head and a content.
async fn send(gateway: &Gateway, content_type: &str, boundary: &str, parts: &[(Vec<u8>, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (head, content) in parts {
        body.extend([format!("--{boundary}\r\n").as_bytes(), head, b"\r\n\r\n", content, b"\r\n"].concat());
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    gateway.send(gateway.post(TRANSCRIPTIONS).header("content-type", content_type).body(body)).await
}

#[tokio::test]
async fn a_file_name_in_any_bytes_is_taken() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    for name in [
        b"filename=\"Gespr\xe4ch.wav\"".as_slice(),
        b"filename=\"\x89\xb9\x90\xba.wav\"",
        "filename=\"会議.wav\"".as_bytes(),
        b"filename*=ISO-8859-1'de'Gespr%E4ch.wav",
        b"filename*=UTF-8''%e4%bc%9a%e8%ad%b0.wav",
        b"filename*=broken",
        b"filename=\"Gespr\xe4ch.wav\"; filename*=UTF-8''Gespr%C3%A4ch.wav",
        b"filename=\"a \\\"b\\\".wav\"",
        b"filename=\"C:\\Users\\x\\a.wav\"",
        b"filename=unquoted name.wav",
        b"filename=\"\"",
    ] {
        let head = [disposition("file").as_bytes(), b"; ", name, b"\r\nContent-Type: audio/wav"].concat();
        let got = send(&gateway, "multipart/form-data; boundary=b", "b", &[(head, &audio)]).await;
        assert_eq!(got.status, 200, "{}: {}", String::from_utf8_lossy(name), got.text());
        assert!(gateway.provider.last().file().body == audio);
        // A client's name for the file goes no further.
        assert_eq!(gateway.provider.last().file().file_name.as_deref(), Some("audio.wav"));
    }
}

#[tokio::test]
async fn a_text_in_the_charset_that_its_part_names_arrives_as_utf_8() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for (charset, bytes, text) in [
        ("ISO-8859-1", b"Z\xfcrich".to_vec(), "Zürich"),
        ("\"windows-1252\"", b"\x8030 \x93caf\xe9\x94".to_vec(), "€30 “café”"),
        ("UTF-16LE", utf_16("Zürich"), "Zürich"),
        ("utf-16", utf_16("\u{feff}Zürich"), "Zürich"),
        ("Shift_JIS", b"\x89\xef\x8bc".to_vec(), "会議"),
        ("utf-8", "\u{feff}Zürich".into(), "Zürich"),
    ] {
        let head = format!("{}\r\nContent-Type: text/plain; charset={charset}", disposition("prompt"));
        let form = Form::new().field("model", "gpt-transcribe").part(&head, &bytes).file(&audio);
        let got = gateway.transcribe(form).await;
        assert_eq!(got.status, 200, "{charset}: {}", got.text());
        assert_eq!(gateway.provider.last().field("prompt"), Some(text), "{charset}");
    }
    for (charset, bytes) in [("utf-8", b"Z\xfcrich".as_slice()), ("utf-16le", b"\x00\xd8"), ("klingon", b"Qapla'")] {
        let head = format!("{}\r\nContent-Type: text/plain; charset={charset}", disposition("prompt"));
        let got = gateway.transcribe(Form::new().part(&head, bytes).file(&audio)).await;
        got.is_error(400, "invalid_value", Some("prompt"));
    }
}

#[tokio::test]
async fn the_charset_field_of_a_form_is_applied_and_not_forwarded() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let named = |form: Form| form.field("_charset_", "iso-8859-1");
    let prompt = |form: Form| form.part(&disposition("prompt"), b"Z\xfcrich");
    for first in [true, false] {
        let form = Form::new().field("model", "gpt-transcribe");
        let form = if first { prompt(named(form)) } else { named(prompt(form.file(&audio))) };
        let form = if first { form.file(&audio) } else { form };
        let got = gateway.transcribe(form).await;
        assert_eq!(got.status, 200, "{}", got.text());
        let seen = gateway.provider.last();
        assert_eq!((seen.field("prompt"), seen.field("_charset_")), (Some("Zürich"), None));
    }
    let unknown = Form::new().field("_charset_", "klingon").file(&audio);
    gateway.transcribe(unknown).await.is_error(400, "invalid_value", Some("_charset_"));
}

#[tokio::test]
async fn a_parts_own_length_decides_nothing() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let prompt = "é".repeat(20);
    for length in ["20", "1", "0", "99999", "nonsense", "-1"] {
        let head = |name: &str, more: &str| format!("Content-Length: {length}\r\n{}{more}", disposition(name));
        let form = Form::new()
            .field("model", "gpt-transcribe")
            .part(&head("prompt", ""), prompt.as_bytes())
            .part(&head("file", "; filename=\"a.wav\""), &audio);
        let got = gateway.transcribe(form).await;
        assert_eq!(got.status, 200, "{length}: {}", got.text());
        let seen = gateway.provider.last();
        assert_eq!(seen.field("prompt"), Some(prompt.as_str()), "{length}");
        assert!(seen.file().body == audio, "{length}: the recording was cut");
    }
}

#[tokio::test]
async fn a_part_may_say_that_nothing_was_encoded_and_no_more() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let form = |encoding: &str| {
        let head = format!("{}; filename=\"a.wav\"\r\nContent-Transfer-Encoding: {encoding}", disposition("file"));
        Form::new().part(&head, &audio)
    };
    for encoding in ["binary", "8bit", "7BIT"] {
        assert_eq!(gateway.transcribe(form(encoding)).await.status, 200, "{encoding}");
    }
    for encoding in ["base64", "quoted-printable", "x-uuencode"] {
        let got = gateway.transcribe(form(encoding)).await;
        got.is_error(400, "invalid_multipart", None);
        assert!(got.text().contains(encoding), "{}", got.text());
    }
}

#[tokio::test]
async fn heads_are_folded_and_delimiters_padded_as_mail_may() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let head = b"Content-Disposition: form-data;\r\n name=\"file\";\r\n\tfilename=\"a.wav\"\r\nX-Mailer: any\r\n thing";
    let body =
        [b"a preamble\r\n--b \t\r\n".as_slice(), head, b"\r\n\r\n", &audio, b"\r\n--b-- \r\nan epilogue"].concat();
    let request = gateway.post(TRANSCRIPTIONS).header("content-type", "multipart/form-data; boundary=b").body(body);
    let got = gateway.send(request).await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert!(gateway.provider.last().file().body == audio);
}

#[tokio::test]
async fn a_boundary_may_have_all_that_mime_allows() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(300);
    let head = || format!("{}; filename=\"a.wav\"", disposition("file")).into_bytes();
    let longest = "x".repeat(70);
    for (param, boundary) in [
        ("----=_Part_1_2.3", "----=_Part_1_2.3"),
        ("\"----=_Part_1_2.3\"", "----=_Part_1_2.3"),
        ("a:b/c?d,e(f)'g+h", "a:b/c?d,e(f)'g+h"),
        ("\"with blanks in it\"", "with blanks in it"),
        (longest.as_str(), longest.as_str()),
    ] {
        let content_type = format!("multipart/form-data; boundary={param}");
        let got = send(&gateway, &content_type, boundary, &[(head(), &audio)]).await;
        assert_eq!(got.status, 200, "{param}: {}", got.text());
        assert!(gateway.provider.last().file().body == audio);
    }
    let too_long = "x".repeat(71);
    for (param, boundary) in [
        ("with blanks in it", "with blanks in it"),
        ("\"ends with one \"", "ends with one "),
        ("a; boundary=b", "b"),
        ("", ""),
        ("a@b", "a@b"),
        (too_long.as_str(), too_long.as_str()),
    ] {
        let content_type = format!("multipart/form-data; boundary={param}");
        let got = send(&gateway, &content_type, boundary, &[(head(), &audio)]).await;
        got.is_error(400, "invalid_multipart", None);
    }
}

#[tokio::test]
async fn a_recording_under_another_name_is_told_where_it_belongs() {
    let gateway = Gateway::start().await;
    let audio = audio::wav(20_000);
    let typed = |name: &str, kind: &str| format!("{}; filename=\"a.wav\"\r\nContent-Type: {kind}", disposition(name));
    let plain = |name: &str, kind: &str| format!("{}\r\nContent-Type: {kind}", disposition(name));
    for (name, head) in [
        ("audio_file", typed("audio_file", "audio/wav")),
        ("audio", typed("audio", "application/octet-stream")),
        ("file[]", typed("file[]", "audio/wav")),
        ("File", typed("File", "audio/wav")),
        ("FILE", typed("FILE", "text/plain")),
        ("recording", typed("recording", "video/webm")),
        ("upload", format!("{}; filename=\"a.wav\"", disposition("upload"))),
        ("input_audio", typed("input_audio", "application/ogg")),
        ("data", plain("data", "audio/mpeg")),
        ("model", typed("model", "audio/wav")),
    ] {
        for model_first in [true, false] {
            let form = Form::new();
            let form =
                if model_first { form.field("language", "en").part(&head, &audio) } else { form.part(&head, &audio) };
            let got = gateway.transcribe(form).await;
            got.is_error(400, "missing_required_parameter", Some("file"));
            let said = got.error()["message"].as_str().unwrap().to_owned();
            assert!(said.contains(&format!("'{name}'")) && said.contains("'file'"), "{said}");
        }
    }
    // Without a type or a file name the bytes are read as text; the error still says where a recording belongs.
    for (audio, code) in [(audio.as_slice(), "field_too_large"), (b"RIFF\xff\xfe", "invalid_value")] {
        let got = gateway.transcribe(Form::new().part(&disposition("audio_file"), audio)).await;
        got.is_error(400, code, Some("audio_file"));
        assert!(got.text().contains("'file'"), "{}", got.text());
    }
    let reference = typed("known_speaker_references[]", "audio/wav");
    let got = gateway.transcribe(Form::new().part(&reference, &audio)).await;
    got.is_error(400, "invalid_value", Some("known_speaker_references"));
    assert_eq!(gateway.provider.requests(), 0);
}

/// As a page has it that appends a `Blob` for an option.
#[tokio::test]
async fn an_option_may_come_with_a_file_name() {
    let gateway = Gateway::start().await;
    for kind in ["text/plain", "application/octet-stream", "application/json"] {
        let head = |name: &str| format!("{}; filename=\"blob\"\r\nContent-Type: {kind}", disposition(name));
        let form = Form::new().part(&head("model"), b"gpt-transcribe").part(&head("prompt"), b"Voxgate");
        let got = gateway.transcribe(form.file(&audio::wav(300))).await;
        assert_eq!(got.status, 200, "{kind}: {}", got.text());
        assert_eq!(gateway.provider.last().field("prompt"), Some("Voxgate"), "{kind}");
    }
}

#[tokio::test]
async fn json_that_names_its_recording_as_a_form_does_is_told_where_it_belongs() {
    let gateway = Gateway::start().await;
    for name in ["file", "audio_file", "audioData"] {
        let body = format!(r#"{{"model":"gpt-transcribe","{name}":"UklGRg=="}}"#);
        let got =
            gateway.send(gateway.post(TRANSCRIPTIONS).header("content-type", "application/json").body(body)).await;
        got.is_error(400, "missing_required_parameter", Some("audio"));
        assert!(got.text().contains(&format!("not in `{name}`")), "{}", got.text());
    }
}
