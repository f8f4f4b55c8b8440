//! Hints for stages and methods as version 0.1 wrote them.

/// Returns what a stage or method says now instead of a key that it had in version 0.1.
pub(super) fn hint_for_key(name: &str, path: &str) -> Option<&'static str> {
    let mut parts = path.split('.');
    match (parts.next(), parts.nth(1), parts.next(), name) {
        (Some("stages"), None, None, "count") => {
            Some("write the number in `molecules`: `molecules: {random: N}`")
        }
        (Some("methods"), Some("settings"), None, "model") => Some(
            "write the surrogate in `engine`, beside `kind: train`: `engine: group_contribution`; \
             `group_counts` is now its setting `features: counts`",
        ),
        (Some("methods"), Some("settings"), None, "agent") => {
            Some("write the generator in `engine`, beside `kind: generate`: `engine: moldqn`")
        }
        (Some("methods"), Some("settings"), None, "acquisition") => {
            Some("write the acquisition in `engine`, beside `kind: screen`: `engine: greedy`")
        }
        _ => None,
    }
}

/// Returns what a stage says now instead of a word that `molecules` had in version 0.1.
pub(super) fn hint_for_word(word: &str, path: &str) -> Option<&'static str> {
    let in_stage = path.starts_with("stages.") && path.ends_with(".molecules");
    match word {
        "random" if in_stage => {
            Some("write `molecules: {random: N}`, and `compute: PROPERTY` instead of `method`")
        }
        "atoms" if in_stage => {
            Some("remove the stage: free atoms are computed by themselves, before the stages")
        }
        _ => None,
    }
}
