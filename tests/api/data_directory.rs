//! The folder of budgets and settlements is the gateway's alone: one that others may write to is refused by name, and no file
//! in it is reached through a link.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use tempfile::TempDir;

use crate::support::gateway::{Setup, run};
use crate::support::redis_server::Server;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The words of `voxgate serve` and `voxgate check`, which both refuse `data`.
fn refused(data: &Path, more: &[(&str, &str)]) -> [String; 2] {
    let folder = TempDir::new().unwrap();
    let mut variables = vec![
        ("VOXGATE_BIND", "127.0.0.1:0"),
        ("VOXGATE_OPS_BIND", "127.0.0.1:0"),
        ("VOXGATE_DATA_DIR", data.to_str().unwrap()),
    ];
    variables.extend_from_slice(more);
    ["serve", "check"].map(|command| {
        let output = run(&[command], &variables, folder.path());
        assert!(!output.status.success(), "{command} takes {}", data.display());
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    })
}

#[tokio::test]
async fn files_of_the_gateway_are_its_own() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("above/data");
    let _gateway = Setup::new().env("VOXGATE_DATA_DIR", data.to_str().unwrap()).start().await;
    for (name, mode) in [("", 0o700), ("settlements", 0o700), ("voxgate.sqlite3", 0o600), ("voxgate.lock", 0o600)] {
        assert_eq!(fs::metadata(data.join(name)).unwrap().mode() & 0o777, mode, "{name}");
    }
}

#[tokio::test]
async fn a_folder_that_others_may_write_to_is_refused_with_what_to_do() {
    let redis = Server::start();
    let folder = TempDir::new().unwrap();
    for mode in [0o777, 0o707, 0o703, 0o1777] {
        chmod(folder.path(), mode);
        for more in [&[][..], &[("REDIS_URL", redis.url().as_str())]] {
            for said in refused(folder.path(), more) {
                let names = said.contains(folder.path().to_str().unwrap()) && said.contains("VOXGATE_DATA_DIR");
                assert!(names || said.contains("data directory"), "{said}");
                assert!(said.contains("can be written by everybody") && said.contains("chmod"), "{said}");
            }
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was written there");
    for mode in [0o700, 0o755, 0o2770] {
        chmod(folder.path(), mode);
        let gateway = Setup::new().env("VOXGATE_DATA_DIR", folder.path().to_str().unwrap()).start().await;
        drop(gateway);
    }
}

#[test]
fn no_file_is_reached_through_a_link_and_nothing_is_changed_through_one() {
    for name in ["voxgate.lock", "voxgate.sqlite3", "voxgate.sqlite3-wal", "voxgate.sqlite3-shm", "settlements"] {
        for hard in [false, true] {
            let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            let target = elsewhere.path().join("target");
            if name == "settlements" {
                fs::create_dir(&target).unwrap();
            } else {
                fs::write(&target, "kept").unwrap();
            }
            if hard && name == "settlements" {
                continue;
            }
            let link = folder.path().join(name);
            if hard {
                fs::hard_link(&target, &link).unwrap();
            } else {
                symlink(&target, &link).unwrap();
            }
            let said = &refused_by_serve(folder.path());
            assert!(said.contains(link.to_str().unwrap()) && said.contains("link"), "{name}: {said}");
            if name == "settlements" {
                assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
            } else {
                assert_eq!(fs::read_to_string(&target).unwrap(), "kept", "{name}");
            }
        }
    }
}

fn refused_by_serve(data: &Path) -> String {
    let folder = TempDir::new().unwrap();
    let data = data.to_str().unwrap();
    let variables = [
        ("VOXGATE_BIND", "127.0.0.1:0"),
        ("VOXGATE_OPS_BIND", "127.0.0.1:0"),
        ("VOXGATE_DATA_DIR", data),
        // With a key the books are not the sandbox's.
        ("OPENAI_API_KEY", "sk-Sphinx"),
        ("VOXGATE_JWT_SECRET", "an-arbitrary-secret-of-more-than-thirty-two-bytes"),
    ];
    let output = run(&["serve"], &variables, folder.path());
    assert!(!output.status.success(), "it starts");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A link among the settlements that others left is no reason not to start, and is not followed.
#[tokio::test]
async fn a_link_among_settlements_is_passed_over() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (target, settlements) = (elsewhere.path().join("target"), folder.path().join("settlements"));
    fs::write(&target, "kept\n").unwrap();
    fs::create_dir(&settlements).unwrap();
    let link = settlements.join("0.jsonl");
    symlink(&target, &link).unwrap();
    nix::unistd::mkfifo(&settlements.join("1.jsonl"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let gateway = Setup::new().env("VOXGATE_DATA_DIR", folder.path().to_str().unwrap()).start().await;
    assert!(gateway.log.text().contains("0.jsonl"), "{}", gateway.log.text());
    assert!(link.is_symlink() && fs::read_to_string(&target).unwrap() == "kept\n");
}

/// As systemd makes one for `DynamicUser=`.
#[tokio::test]
async fn the_folder_itself_may_be_a_link_of_ones_own() {
    let folder = TempDir::new().unwrap();
    let (there, link) = (folder.path().join("there"), folder.path().join("link"));
    fs::create_dir(&there).unwrap();
    symlink(&there, &link).unwrap();
    let gateway = Setup::new().env("VOXGATE_DATA_DIR", link.to_str().unwrap()).start().await;
    assert!(there.join("voxgate.sqlite3").exists());
    let usage = gateway.command(&["usage"]);
    assert!(usage.status.success(), "{}", String::from_utf8_lossy(&usage.stderr));
}
