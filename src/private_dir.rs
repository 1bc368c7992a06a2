//! Directories and files that only the gateway's user may write: budgets, the ledger, waiting settlements.
//!
//! Another user with write access could redirect writes to other files through a link, or forge budgets. So this module
//! refuses a directory that others may write to, and follows no link to a file in it.

use std::fmt::Display;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid, getegid, geteuid, getgroups};

/// The modes of new directories and files: access for the owner only.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Creates a directory and its missing parents, accessible to the owner only; refuses one that others may write to. The
/// last part of the path may be a link, as systemd creates for `DynamicUser=`, if root or this user owns it.
pub fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    check(directory)
}

/// Creates a directory inside one that [`make`] has created; refuses a link.
pub fn make_inside(directory: &Path) -> io::Result<()> {
    let made = DirBuilder::new().mode(DIRECTORY_MODE).create(directory);
    made.or_else(|error| if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })?;
    if fs::symlink_metadata(directory)?.is_symlink() {
        return Err(is_link(directory));
    }
    check(directory)
}

/// Refuses a directory that others may write to, or that a link of another user points to.
pub fn check(directory: &Path) -> io::Result<()> {
    // A trailing slash would make `symlink_metadata` follow the link.
    let directory: PathBuf = directory.components().collect();
    let entry = fs::symlink_metadata(&directory)?;
    let maker = Uid::from_raw(entry.uid());
    if entry.is_symlink() && !maker.is_root() && maker != geteuid() {
        return Err(refused(&directory, "is a link that another user made; name the directory itself"));
    }
    let there = fs::metadata(&directory)?;
    if !there.is_dir() {
        return Err(refused(&directory, "is no directory"));
    }
    // Kubernetes creates its volumes with such rights.
    let instead = "take that right away (chmod o-w, or g-w), or name a directory in it that is not there yet";
    check_rights(&directory, &there, instead)
}

/// Opens a file with `options`; a new file is accessible to the owner only. Refuses a link, a file with a second hard
/// link, and a file that others may write to.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Without O_NONBLOCK, `open` would block on a named pipe.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = options.mode(FILE_MODE).custom_flags(flags.bits()).open(path).map_err(|error| {
        if error.raw_os_error().map(Errno::from_raw) == Some(Errno::ELOOP) { is_link(path) } else { error }
    })?;
    check_file(path, &file.metadata()?)?;
    Ok(file)
}

/// Refuses an existing file that [`open`] would refuse. For files that a library opens.
pub fn check_if_there(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(entry) if entry.is_symlink() => Err(is_link(path)),
        Ok(entry) => check_file(path, &entry),
    }
}

fn check_file(path: &Path, file: &Metadata) -> io::Result<()> {
    if !file.is_file() {
        return Err(refused(path, "is no regular file"));
    }
    if file.nlink() > 1 {
        return Err(refused(
            path,
            "has another name (a hard link), and what is written here would be written there; remove one of them",
        ));
    }
    check_rights(path, file, "take that right away (chmod o-w, or g-w) once it is sure that nobody has used it")
}

/// Refuses an entry that others may write to. "Others" are users who are neither the owner nor in one of this process's
/// groups: a volume of Kubernetes belongs to its `fsGroup`, and everything in it is group-writable for that reason.
fn check_rights(path: &Path, entry: &Metadata, instead: &str) -> io::Result<()> {
    let mode = entry.mode();
    let group = Gid::from_raw(entry.gid());
    let others_may = mode & 0o002 != 0;
    let strangers_may = mode & 0o020 != 0 && group != getegid() && !getgroups().is_ok_and(|all| all.contains(&group));
    if !others_may && !strangers_may {
        return Ok(());
    }
    let who = if others_may { "everybody" } else { "a group that the gateway is not in" };
    Err(refused(path, format!("can be written by {who} (mode {:04o}); {instead}", mode & 0o7777)))
}

fn is_link(path: &Path) -> io::Error {
    refused(path, "is a link, and links are not followed here; put in its place what it leads to")
}

fn refused(path: &Path, what: impl Display) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, format!("{} {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn to_write(path: &Path) -> io::Result<File> {
        open(path, OpenOptions::new().read(true).write(true).create(true).truncate(false))
    }

    #[test]
    fn new_files_are_the_owners_alone() {
        let folder = TempDir::new().unwrap();
        let (outer, inner) = (folder.path().join("a/b"), folder.path().join("a/b/c"));
        make(&outer).unwrap();
        make_inside(&inner).unwrap();
        make_inside(&inner).unwrap();
        to_write(&inner.join("file")).unwrap();
        for (path, mode) in
            [(folder.path().join("a"), 0o700), (outer, 0o700), (inner.clone(), 0o700), (inner.join("file"), 0o600)]
        {
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode, "{}", path.display());
        }
    }

    #[test]
    fn files_that_everybody_may_write_to_are_refused_by_name() {
        let folder = TempDir::new().unwrap();
        let (directory, file) = (folder.path().join("d"), folder.path().join("f"));
        fs::create_dir(&directory).unwrap();
        fs::write(&file, "kept").unwrap();
        for (mode, refused) in [(0o700, false), (0o755, false), (0o707, true), (0o777, true), (0o1777, true)] {
            chmod(&directory, mode);
            chmod(&file, mode & 0o777);
            for (path, tried) in [
                (&directory, make(&directory)),
                (&directory, make_inside(&directory)),
                (&file, to_write(&file).map(|_| ())),
            ] {
                let said = tried.as_ref().err().map(ToString::to_string).unwrap_or_default();
                assert_eq!(tried.is_err(), refused, "{mode:o}: {said}");
                assert!(
                    !refused || said.starts_with(&format!("{} can be written by everybody", path.display())),
                    "{said}"
                );
            }
        }
        // The mode that Kubernetes sets for an fsGroup.
        chmod(&directory, 0o2770);
        make(&directory).unwrap();
    }

    #[test]
    fn no_link_is_followed_and_nothing_is_changed_through_one() {
        let folder = TempDir::new().unwrap();
        let (target, link, hard) =
            (folder.path().join("target"), folder.path().join("link"), folder.path().join("hard"));
        fs::write(&target, "kept").unwrap();
        symlink(&target, &link).unwrap();
        symlink(folder.path().join("nothing"), folder.path().join("loose")).unwrap();
        fs::hard_link(&target, &hard).unwrap();
        for (name, what) in [("link", "is a link"), ("loose", "is a link"), ("hard", "has another name")] {
            let path = folder.path().join(name);
            for tried in [to_write(&path).map(|_| ()), check_if_there(&path)] {
                let said = tried.unwrap_err().to_string();
                assert!(said.starts_with(&format!("{} {what}", path.display())), "{said}");
            }
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
        assert!(!folder.path().join("nothing").exists());
        check_if_there(&folder.path().join("nothing")).unwrap();
        let said = to_write(folder.path()).unwrap_err().to_string();
        assert!(said.contains("directory"), "{said}");
    }

    #[test]
    fn a_directory_may_be_a_link_of_our_own_and_one_inside_it_may_not() {
        let folder = TempDir::new().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        make(&target).unwrap();
        symlink(&target, &link).unwrap();
        make(&link).unwrap();
        assert!(make_inside(&link).unwrap_err().to_string().contains("is a link"));
        chmod(&target, 0o777);
        for path in [link.clone(), link.join("")] {
            assert!(make(&path).unwrap_err().to_string().contains("can be written by everybody"));
        }
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for() {
        let folder = TempDir::new().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for tried in [open(&pipe, OpenOptions::new().read(true)), to_write(&pipe)] {
            assert!(tried.unwrap_err().to_string().contains("is no regular file"));
        }
    }
}
