//! GPUs of a node, divided among the slots of a partition: each task sees its own.

/// The variable that names the GPUs that a program may use.
pub const VISIBLE: &str = crate::task::VISIBLE_GPUS;

/// There are fewer GPUs than the slots want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process may use {has} GPUs ({VISIBLE}), and {wanted} are needed")]
pub struct TooFew {
    pub has: usize,
    pub wanted: usize,
}

/// The value of `VISIBLE` for each of `slots` slots: `each` GPUs, beginning after the first `taken`
/// of a node. Where this process may only use some, as in a job of a batch system, they are those
/// that `visible` names.
pub fn of_slots(
    slots: usize,
    each: usize,
    taken: usize,
    visible: Option<&str>,
) -> Result<Vec<String>, TooFew> {
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
    sets.ok_or(TooFew { has, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_slots_have_a_gpu_in_common() {
        assert_eq!(of_slots(2, 2, 1, None).unwrap(), ["1,2", "3,4"]);
        let named = Some("GPU-8f,GPU-1a, 7");
        assert_eq!(of_slots(1, 2, 1, named).unwrap(), ["GPU-1a,7"]);
        let few = TooFew { has: 3, wanted: 4 };
        assert_eq!(of_slots(2, 2, 0, named), Err(few));
        assert_eq!(
            of_slots(1, 1, 0, Some("")),
            Err(TooFew { has: 0, wanted: 1 })
        );
    }
}
