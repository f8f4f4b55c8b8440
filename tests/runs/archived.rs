//! Runs that their reader may not write: of another user, or on a disk that is read only.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::support::{Campaign, on, run_to_end};

#[test]
fn a_run_that_may_not_be_written_is_read() {
    let campaign = Campaign::of_a_program();
    let run_dir = campaign.completed("run", &[]);
    let arguments = ["top", "--once", "--size", "100x30"];
    let shown = on(&run_dir, &arguments).with_code(0).out;
    let exported = on(&run_dir, &["export", "--format", "csv"])
        .with_code(0)
        .out;
    for log in ["moldflow.db-wal", "moldflow.db-shm"] {
        let _ = fs::remove_file(run_dir.join(log));
    }
    let files = || -> BTreeMap<PathBuf, (u64, SystemTime)> {
        let entries = fs::read_dir(&run_dir).unwrap().map(|entry| entry.unwrap());
        let about = |entry: &DirEntry| entry.metadata().map(|m| (m.len(), m.modified().unwrap()));
        entries
            .map(|entry| (entry.path(), about(&entry).unwrap()))
            .collect()
    };
    let before = files();
    let program = copied_program(campaign.path("").as_path());
    allow(campaign.path("").as_path(), 0o755);
    for file in before.keys() {
        allow(file, if file.is_dir() { 0o755 } else { 0o444 });
    }
    allow(&run_dir, 0o555);
    // The administrator may write everything: another user, then.
    let is_root = rustix::process::geteuid().is_root();
    let read = |arguments: &[&str]| {
        let mut command = match is_root {
            true => Command::new("setpriv"),
            false => Command::new(&program),
        };
        if is_root {
            command
                .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
                .arg(&program);
        }
        run_to_end(
            command
                .arg(arguments[0])
                .arg(&run_dir)
                .args(&arguments[1..]),
        )
        .with_code(0)
        .out
    };
    assert_eq!(read(&arguments), shown);
    assert!(read(&["status"]).contains("evaluations"));
    assert_eq!(read(&["export", "--format", "csv"]), exported);
    assert!(read(&["report", "--out", "-"]).contains("</html>"));
    assert_eq!(files(), before);
    allow(&run_dir, 0o755);
}

/// Copies the program to where another user may start it.
fn copied_program(folder: &Path) -> PathBuf {
    let copy = folder.join("moldflow");
    fs::copy(env!("CARGO_BIN_EXE_moldflow"), &copy).unwrap();
    allow(&copy, 0o755);
    copy
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
