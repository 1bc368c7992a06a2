use miniz_oxide::deflate::compress_to_vec;

use super::*;

/// The files that a browser loads before the page works, compressed as a proxy would.
#[test]
fn page_and_module_take_less_than_60_kilobytes() {
    let texts = ASSETS.iter().filter(|asset| asset.content_type != "audio/mpeg").map(|asset| asset.bytes);
    // gzip adds a head and a checksum.
    let sum: usize =
        texts.chain([PAGE.as_bytes(), MODULE.as_bytes()]).map(|text| compress_to_vec(text, 6).len() + 18).sum();
    assert!((10_000..60_000).contains(&sum), "{sum}");
}

#[test]
fn no_sample_is_larger_than_60_kilobytes() {
    let samples: Vec<_> = ASSETS.iter().filter(|asset| asset.content_type == "audio/mpeg").collect();
    assert!(samples.len() >= 2);
    for sample in samples {
        assert!(sample.bytes.len() <= 60_000, "{}: {}", sample.name, sample.bytes.len());
    }
}

#[test]
fn no_file_of_the_page_is_left_out() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/handlers/console");
    for place in [folder.to_owned(), format!("{folder}/samples")] {
        for entry in std::fs::read_dir(place).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_of_page = [".js", ".css", ".svg", ".mp3"].iter().any(|ending| name.ends_with(ending));
            assert!(!is_of_page || ASSETS.iter().any(|asset| asset.name == name), "{name}");
        }
    }
}

/// The policy would stop them: inline code, and markup made of texts that providers and files choose.
#[test]
fn the_page_has_no_inline_code_and_makes_no_markup_of_texts() {
    let page = PAGE.to_lowercase();
    for word in ["<style", " style=", " onclick=", "javascript:", "http://www", "https://"] {
        assert!(!page.contains(word), "{word}");
    }
    assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=\"").count());
    let scripts = ASSETS.iter().filter(|asset| asset.content_type == SCRIPT);
    for (name, script) in scripts.map(|asset| (asset.name, std::str::from_utf8(asset.bytes).unwrap())) {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "localStorage",
            "cookie",
        ] {
            assert!(!script.contains(word), "{name}: {word}");
        }
    }
}
