//! Options of submit commands that a profile may not give, because they would override what
//! moldflow asks for itself: in every spelling that these commands understand.

use super::{BatchParams, SchedulerKind, Subject};

/// Requests of moldflow that follow from keys of the profile, besides those that it always makes.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnRequests {
    /// `queue` is given.
    pub queue: bool,
    /// `account` is given.
    pub account: bool,
    /// Memory is requested.
    pub memory: bool,
    /// GPUs are requested.
    pub gpus: bool,
    /// `constraint` is given.
    pub constraint: bool,
    /// True if tasks share the nodes of a block, which these options would divide.
    pub in_blocks: bool,
}

impl OwnRequests {
    /// Returns the requests of a partition, or of `submit`.
    pub fn new(batch: &BatchParams, memory: bool, gpus: bool, constraint: bool) -> Self {
        Self {
            queue: batch.queue.is_some(),
            account: batch.account.is_some(),
            memory,
            gpus,
            constraint,
            in_blocks: false,
        }
    }
}

/// Reason for which an option is refused, and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Reason, which completes the sentence "the option ...".
    pub why: &'static str,
    /// Advice for the user.
    pub hint: &'static str,
}

/// Returns the refusal of an entry of `options`; None if it can be a directive.
pub fn refusal(scheduler: SchedulerKind, option: &str, own: &OwnRequests) -> Option<Refusal> {
    if !option.starts_with('-') || !option.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Some(Refusal {
            why: "is not one line of ASCII that starts with a dash",
            hint: "write each option as one entry: `--qos=shared`, `-l filesystems=home`",
        });
    }
    let rules = &scheduler.options;
    let is_refused =
        |subject: &Subject| rules.always_refused.contains(subject) || subject.is_own(own);
    let mut subjects = (rules.subjects)(option).into_iter();
    subjects.find(is_refused).map(Subject::refusal)
}

/// Returns the refusal of a constraint; None if it can stand in a script.
pub fn constraint(scheduler: SchedulerKind, constraint: &str) -> Option<Refusal> {
    let rules = &scheduler.constraints;
    let is_plain = constraint
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || rules.characters.contains(c));
    if constraint.is_empty() || constraint.starts_with('-') || !is_plain {
        return Some(rules.refusal());
    }
    (rules.check)(constraint)
}

impl super::Constraints {
    /// Returns the refusal of a text that is no constraint.
    pub fn refusal(&self) -> Refusal {
        Refusal {
            why: "cannot stand in a batch script",
            hint: self.hint,
        }
    }
}

/// Long options, without dashes, and their subjects.
pub(super) type LongOptions = &'static [(&'static str, Subject)];

/// Options of a command in the style of GNU getopt.
pub(super) struct NamedOptions {
    /// Long options.
    pub(super) long: LongOptions,
    /// Letters, and the long options that they stand for.
    pub(super) short: &'static [(char, &'static str)],
    /// Letters without a value, behind which another letter may stand: `-kN2`.
    pub(super) flags: &'static str,
}

impl NamedOptions {
    /// Returns the subjects of an entry of `options`.
    pub(super) fn subjects(&self, option: &str) -> Vec<Subject> {
        let mut subjects = Vec::new();
        for word in &words(option) {
            if let Some(name) = word.strip_prefix("--") {
                let name = name.split('=').next().unwrap_or_default();
                let exact = self.long.iter().find(|(known, _)| *known == name);
                // These commands understand abbreviations.
                let meant = self
                    .long
                    .iter()
                    .filter(|(known, _)| exact.is_none() && known.starts_with(name));
                subjects.extend(exact.into_iter().chain(meant).map(|(_, subject)| *subject));
            } else if let Some(letters) = word.strip_prefix('-') {
                let names = letters_of(letters, self.flags).filter_map(|(letter, _)| {
                    self.short.iter().find(|(known, _)| *known == letter)
                });
                let long = |name: &str| self.long.iter().find(|(known, _)| *known == name);
                let found = names.filter_map(|(_, name)| long(name));
                subjects.extend(found.map(|(_, subject)| *subject));
            }
        }
        subjects
    }
}

/// Returns the words of an entry; quotation marks change none of the names that are looked for.
pub(super) fn words(option: &str) -> Vec<String> {
    let plain: String = option.chars().filter(|c| !r#"'"\"#.contains(*c)).collect();
    plain.split_whitespace().map(str::to_owned).collect()
}

/// Returns the options in a word of letters, each with the text behind it: all but `flags` have a
/// value.
pub(super) fn letters_of<'w>(word: &'w str, flags: &str) -> impl Iterator<Item = (char, &'w str)> {
    let is_last = |c: char| !flags.contains(c);
    let end = word.find(is_last).map_or(word.len(), |at| at + 1);
    word.char_indices()
        .map(|(at, letter)| (at, letter, &word[at + letter.len_utf8()..]))
        .filter(move |(at, ..)| *at < end)
        .map(|(_, letter, rest)| (letter, rest))
}

/// Returns all entries as directives of their own, the split of schedulers without `place`.
pub(super) fn unsplit(options: &[String]) -> (String, Vec<&String>) {
    (String::new(), options.iter().collect())
}
