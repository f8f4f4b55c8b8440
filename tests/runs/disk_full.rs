//! The program itself on a full disk: a small file system that the test mounts (as root).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::runs::{assert_same, assert_whole, failures};
use crate::support::{Campaign, journal, on, processes, run_name};

/// A file system of a few megabytes in memory.
struct Disk(PathBuf);

impl Disk {
    fn of_kib(path: PathBuf, kib: u32) -> Self {
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(&path)
            .output()
            .expect("mount");
        assert!(
            mounted.status.success(),
            "this test mounts a file system, as root: {mounted:?}"
        );
        Self(path)
    }

    /// Fills the remaining space.
    fn fill(&self) {
        let mut ballast = File::create(self.0.join("ballast")).unwrap();
        while ballast.write_all(&[0; 1024]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

fn assert_says_so(err: &str, run_dir: &Path) {
    assert!(err.contains("no room") || err.contains("full"), "{err}");
    assert!(err.contains("moldflow resume"), "{err}");
    assert_eq!(
        processes(&format!("{}.", run_name(run_dir))),
        Vec::<i32>::new()
    );
}

#[test]
fn a_run_stops_when_the_disk_is_full_and_goes_on_when_there_is_room() {
    let campaign = Campaign::tiny();
    let calm = campaign.completed("calm", &["--schedule", "batch"]);
    for facts in [1, 6, 10, 14] {
        let disk = Disk::of_kib(campaign.path(&format!("disk{facts}")), 4096);
        let name = format!("disk{facts}/run");
        let run_dir = campaign.path(&name);
        let mut engine = campaign.start(&name, &["--schedule", "batch"]);
        engine.wait_for_facts(facts);
        disk.fill();
        assert_eq!(engine.exit_code(), Some(4), "{}", engine.err());
        // The message was written to the full disk and lost; it is repeated, to a pipe.
        let again = on(&run_dir, &["resume"]).with_code(4);
        assert_says_so(&again.err, &run_dir);
        let kept = journal(&run_dir).len();
        assert!(kept >= facts, "{kept}");
        disk.make_room();
        on(&run_dir, &["resume"]).with_code(0);
        assert_same(&run_dir, &calm);
        assert_whole(&run_dir);
        on(&run_dir, &["check"]).with_code(0);
    }
}

#[test]
fn a_full_disk_is_not_blamed_on_the_molecules() {
    // The program meets the full disk first, and its error message is not helpful.
    let fault =
        r#"touch "$here/filled"; head -c 100000000 /dev/zero > "$here/disk/ballast"; exit 3"#;
    let campaign = Campaign::of_a_program()
        .with("retries: 1", "retries: 0")
        .with_fault(fault);
    let disk = Disk::of_kib(campaign.path("disk"), 4096);
    let printed = campaign.run("disk/run", &[]).with_code(4);
    let run_dir = campaign.path("disk/run");
    assert!(campaign.path("filled").exists());
    assert_says_so(&printed.err, &run_dir);
    assert_eq!(failures(&journal(&run_dir)), []);
    disk.make_room();
    on(&run_dir, &["resume"]).with_code(0);
    assert_whole(&run_dir);
}

#[test]
fn a_run_that_finds_no_room_at_its_start_can_be_started_again() {
    let campaign = Campaign::tiny();
    let disk = Disk::of_kib(campaign.path("disk"), 4096);
    disk.fill();
    let printed = campaign.run("disk/run", &[]).with_code(4);
    assert!(printed.err.contains("No space left"), "{}", printed.err);
    disk.make_room();
    campaign.completed("disk/run", &[]);
    assert_whole(&campaign.path("disk/run"));
}
