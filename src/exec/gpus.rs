//! GPUs of a node, divided among the slots of a partition: each task sees its own.

/// Environment variable that names the GPUs which a program may use.
pub const VISIBLE: &str = crate::task::VISIBLE_GPUS;

/// Error of slots that need more GPUs than this process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process may use {has} GPUs ({VISIBLE}), and {wanted} are needed")]
pub struct TooFewGpus {
    /// GPUs that this process may use.
    pub has: usize,
    /// GPUs that the slots need.
    pub wanted: usize,
}

/// Returns the value of `VISIBLE` for each of `slots` slots: `each` GPUs, beginning after the first
/// `taken` of a node. Where this process may only use some, as in a job of a scheduler, they are
/// those that `visible` names.
///
/// # Errors
///
/// Fails if there are fewer GPUs than the slots need.
pub fn of_slots(
    slots: usize,
    each: usize,
    taken: usize,
    visible: Option<&str>,
) -> Result<Vec<String>, TooFewGpus> {
    let wanted = taken + slots * each;
    let devices: Vec<String> = match visible {
        Some(names) => names
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect(),
        None => (0..wanted).map(|number| number.to_string()).collect(),
    };
    let devices: Vec<String> = devices
        .into_iter()
        .filter(|name| !name.is_empty())
        .collect();
    let has = devices.len();
    let of_slot = |slot| {
        let from = taken + slot * each;
        devices.get(from..from + each).map(|names| names.join(","))
    };
    let sets: Option<Vec<String>> = (0..slots).map(of_slot).collect();
    sets.ok_or(TooFewGpus { has, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_slots_have_a_gpu_in_common() {
        assert_eq!(of_slots(2, 2, 1, None).unwrap(), ["1,2", "3,4"]);
        let named = Some("GPU-8f,GPU-1a, 7");
        assert_eq!(of_slots(1, 2, 1, named).unwrap(), ["GPU-1a,7"]);
        let few = TooFewGpus { has: 3, wanted: 4 };
        assert_eq!(of_slots(2, 2, 0, named), Err(few));
        assert_eq!(
            of_slots(1, 1, 0, Some("")),
            Err(TooFewGpus { has: 0, wanted: 1 })
        );
    }
}
