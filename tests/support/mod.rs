//! What tests of real processes share: waiting on a condition, and the processes that carry a token.

// Each test binary uses its own part of it.
#![allow(dead_code)]

use std::fs;
use std::time::{Duration, Instant};

/// No test is about time: this only keeps one that has gone wrong from hanging.
const DEADLINE: Duration = Duration::from_secs(100);

/// Waits until `is_true`.
pub fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    wait_for(what, || is_true().then_some(()));
}

/// Waits until `look` finds something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ids of the living processes whose token starts with `prefix`.
pub fn processes(prefix: &str) -> Vec<i32> {
    let mark = format!("MOLDFLOW_TOKEN={prefix}");
    let ids = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let carries = |id: &i32| {
        // That of a process that has ended is empty.
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable.starts_with(mark.as_bytes()))
    };
    ids.filter(carries).collect()
}
