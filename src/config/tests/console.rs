//! `[console]`

use secrecy::ExposeSecret;

use super::{load, problems};

#[test]
fn the_operators_token_comes_from_a_file_and_is_shown_nowhere() {
    let none = load("", &[]).unwrap().console;
    assert!(none.enabled && none.operator_token.is_none() && none.operator_hosts.is_empty());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "0123456789abcdef\n").unwrap();
    let path = file.path().to_str().unwrap();
    let settings = load("", &[("VOXGATE_CONSOLE__OPERATOR_TOKEN_FILE", path)]).unwrap();
    assert_eq!(settings.console.operator_token.as_ref().unwrap().expose_secret(), "0123456789abcdef");
    assert!(!format!("{settings:?}").contains("0123456789abcdef"));
    for (token, complaint) in [
        ("0123456789abcde", "got 15 bytes; takes 16 or more"),
        ("0123456789 abcdef", "has characters that the value of a header cannot have"),
        ("", "is empty"),
    ] {
        std::fs::write(file.path(), token).unwrap();
        let wrong = problems("", &[("VOXGATE_CONSOLE__OPERATOR_TOKEN_FILE", path)]);
        assert!(wrong.contains("console.operator_token") && wrong.contains(complaint), "{wrong}");
    }
    let wrong = problems("[console]\noperator_token = \"short\"", &[]);
    assert!(wrong.contains("console.operator_token: got 5 bytes") && !wrong.contains("short"), "{wrong}");
}

#[test]
fn hosts_of_the_operators_page_are_names_as_browsers_write_them() {
    let hosts = |list: &str| load(&format!("[console]\noperator_hosts = {list}"), &[]).unwrap().console.operator_hosts;
    assert_eq!(hosts("[\"Ops.Example.com\", \"b\u{fc}ro.example\"]"), ["ops.example.com", "xn--bro-hoa.example"]);
    // Addresses are allowed as it is.
    assert_eq!(hosts("[\"10.0.0.1\", \"[::1]\"]"), Vec::<String>::new());
    for wrong in ["https://ops.example.com", "ops.example.com:9464", "*", "a b", "ops/x"] {
        let said = problems(&format!("[console]\noperator_hosts = [\"{wrong}\"]"), &[]);
        assert!(said.contains("console.operator_hosts: got"), "{wrong}: {said}");
    }
}
