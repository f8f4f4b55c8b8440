//! Hints for stages as version 0.1 wrote them.

/// Returns what a stage says now instead of a key that it had in version 0.1.
pub(super) fn hint_for_key(name: &str, path: &str) -> Option<&'static str> {
    let in_stage = path.starts_with("stages.") && path.split('.').count() == 2;
    (in_stage && name == "count")
        .then_some("write the number in `molecules`: `molecules: {random: N}`")
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
