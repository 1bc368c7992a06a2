//! A module imports only modules of lower layers. docs/architecture.md shows the layers and what each module does.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so in any way")]

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, top first. Modules of one layer know nothing of each other.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["app"],
    &["http", "transport"],
    &["relay"],
    &["exchange"],
    &["sandbox"],
    &["admission", "upstream"],
    &["settlement"],
    &["store"],
    &["limits", "models"],
    &["intake"],
    &["telemetry"],
    &["config"],
    &["identity"],
    &["ledger"],
    &["fair_share"],
    &["domain", "private_dir"],
];

/// Files that belong to no layer: the two roots, and what only tests use.
const OUTSIDE: &[&str] = &["lib", "main", "properties"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The code of a file without comments, and without the module of its tests, which may import anything.
fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let tests = code.find("#[cfg(test)]\nmod tests {").or_else(|| code.find("#[cfg(test)]\npub(crate) mod tests {"));
    code[..tests.unwrap_or(code.len())].to_owned()
}

/// The path of modules that leads to a file: `src/http/error/mod.rs` is `http::error`.
fn module_path(file: &Path) -> Vec<String> {
    let relative = file.strip_prefix("src").unwrap().with_extension("");
    let mut path: Vec<_> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    path
}

/// The top-level modules that the code of a module names, by `crate::` or by as many `super::` as lead to the root.
fn imported(code: &str, module: &[String]) -> Vec<String> {
    let to_root = "super::".repeat(module.len());
    let starts = ["crate::", to_root.as_str()];
    let begins = starts.iter().flat_map(|start| code.match_indices(start).map(|(at, _)| (at, at + start.len())));
    let names = begins.filter_map(|(at, end)| {
        let goes_on = code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':');
        let rest = &code[end..];
        let length = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        (!goes_on).then(|| rest[..length].to_owned())
    });
    let grouped = starts.iter().any(|start| code.contains(&format!("{start}{{")));
    assert!(
        !grouped,
        "{module:?}: name each module after `crate::` in a line of its own, so that its layer can be checked"
    );
    names.collect()
}

#[test]
fn imports_go_down_the_layers() {
    let mut files = Vec::new();
    std::env::set_current_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    sources(Path::new("src"), &mut files);
    let (mut upward, mut imports) = (Vec::new(), 0);
    for file in &files {
        let module = module_path(file);
        let Some(top) = module.first().filter(|top| !OUTSIDE.contains(&top.as_str())) else { continue };
        if module.iter().any(|part| part == "tests") {
            continue;
        }
        let from = layer_of(top).unwrap_or_else(|| panic!("{} is in no layer; name it in LAYERS", file.display()));
        for name in imported(&code(&fs::read_to_string(file).unwrap()), &module) {
            let Some(to) = layer_of(&name).filter(|_| name != *top) else { continue };
            imports += 1;
            if to <= from {
                upward.push(format!("{} imports {name}, which is not below {top}", file.display()));
            }
        }
    }
    assert_eq!(upward, Vec::<String>::new());
    assert!(imports > 300, "only {imports} imports were found: the test does not read what it should");
}

#[test]
fn every_module_is_in_a_layer_and_every_layer_has_its_modules() {
    let root = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap();
    let declared =
        root.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'));
    let mut declared: Vec<_> = declared.filter(|name| !OUTSIDE.contains(name)).collect();
    let mut layered: Vec<_> = LAYERS.concat();
    declared.sort_unstable();
    layered.sort_unstable();
    assert_eq!(declared, layered);
}
