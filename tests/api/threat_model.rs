//! What the documents promise to be shown by a test is.

use std::path::Path;

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| threat")).collect();
    assert!(rows.len() > 20, "the tables are not read");
    for row in rows {
        let shown = row.trim_end_matches(" |").rsplit_once(" | ").unwrap().1;
        let names: Vec<_> = shown.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::")).collect();
        assert!(!names.is_empty(), "no test shows this: {row}");
        for (file, test) in names {
            let file = root.join("tests/api").join(file).with_extension("rs");
            let code = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(code.contains(&format!("fn {test}()")), "{test} is not in {}", file.display());
        }
    }
}
