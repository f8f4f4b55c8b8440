//! Cores of this host, divided among the slots of a partition that asks for it.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity};

/// Returns `each` cores for each of `slots` slots, beginning after the first `taken` of those that
/// this process may use. When they run out it begins again with the first: then slots share cores.
///
/// # Errors
///
/// Fails if the affinity of this process cannot be read.
pub fn of_slots(slots: usize, each: usize, taken: usize) -> io::Result<Vec<CpuSet>> {
    let ours = sched_getaffinity(None)?;
    let cores = (0..CpuSet::MAX_CPU).filter(|core| ours.is_set(*core));
    let cores: Vec<usize> = cores.collect();
    let sets = (0..slots).map(|slot| {
        let mut set = CpuSet::new();
        let from = taken + slot * each;
        for core in (from..from + each.min(cores.len())).filter_map(|n| cores.get(n % cores.len()))
        {
            set.set(*core);
        }
        set
    });
    Ok(sets.collect())
}
