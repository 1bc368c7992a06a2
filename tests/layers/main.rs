//! A module imports only modules of lower layers, and no files import each other in a loop. docs/architecture.md shows
//! the layers and what each module does.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails may say so in any way"
)]

mod loops;
mod modules;
mod samples;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use modules::{ModulePath, Modules, Use};

/// The layers, top first. Modules of one layer know nothing of each other.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["app"],
    &["http", "transport"],
    &["jobs", "live"],
    &["relay"],
    &["exchange"],
    &["split"],
    &["sandbox"],
    &["admission", "upstream"],
    &["settlement", "sessions"],
    &["store"],
    &["limits", "models", "speech"],
    &["intake"],
    &["telemetry"],
    &["config"],
    &["identity"],
    &["ledger"],
    &["fair_share"],
    &["domain", "private_dir"],
];

/// Modules that have a place among the layers and are still to be written.
const PLANNED: &[&str] = &["jobs"];

/// Files that belong to no layer: the two roots, and what only tests use.
const OUTSIDE: &[&str] = &["lib", "main", "properties"];

fn src() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn imports_go_down_the_layers() {
    let modules = Modules::read(src(), OUTSIDE);
    let (mut upward, mut imports) = (BTreeSet::new(), 0);
    for import in modules.uses() {
        let Some(top) = import.from.first() else { continue };
        let from = layer_of(top).unwrap_or_else(|| panic!("{top} is in no layer; name it in LAYERS"));
        // Both what the path names and what defines the item: neither may be above.
        for name in [&import.path[0], &import.to[0]] {
            let Some(to) = layer_of(name).filter(|_| name != top) else { continue };
            imports += 1;
            if to <= from {
                let path = import.path.join("::");
                upward
                    .insert(format!("{} uses {path}: {name} is not below {top}", modules.file(&import.from).display()));
            }
        }
    }
    assert_eq!(upward, BTreeSet::new());
    assert!(imports > 600, "only {imports} imports were found: the test does not read what it should");
}

#[test]
fn every_module_has_a_layer() {
    let root = fs::read_to_string(src().join("lib.rs")).unwrap();
    let declared =
        root.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'));
    let declared: BTreeSet<_> = declared.filter(|name| !OUTSIDE.contains(name)).collect();
    let layered: BTreeSet<_> = LAYERS.concat().into_iter().collect();
    let planned: BTreeSet<_> = PLANNED.iter().copied().collect();
    assert_eq!(declared.difference(&layered).collect::<Vec<_>>(), Vec::<&&str>::new(), "not in LAYERS");
    let absent: BTreeSet<_> = layered.difference(&declared).copied().collect();
    assert_eq!(absent.difference(&planned).collect::<Vec<_>>(), Vec::<&&str>::new(), "in LAYERS, but not in src");
}

#[test]
fn no_files_import_each_other_in_a_loop() {
    let modules = Modules::read(src(), OUTSIDE);
    let uses = modules.uses();
    let loops = loops::find(&uses);
    let report: String = loops.iter().map(|group| describe(group, &uses, &modules)).collect();
    assert!(report.is_empty(), "{report}");
}

fn describe(group: &BTreeSet<ModulePath>, uses: &BTreeSet<Use>, modules: &Modules) -> String {
    let inside = uses.iter().filter(|import| group.contains(&import.from) && group.contains(&import.to));
    let lines = inside.map(|import| {
        let [from, to] = [&import.from, &import.to].map(|module| modules.file(module).strip_prefix(src()).unwrap());
        format!("  {} -> {}: {}", from.display(), to.display(), import.path.join("::"))
    });
    format!("\n{} files in a loop:\n{}\n", group.len(), lines.collect::<Vec<_>>().join("\n"))
}
