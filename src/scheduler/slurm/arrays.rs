//! Job arrays: many jobs that one `sbatch` submits. Which attempt an element is follows from what
//! Slurm itself says of it, the name of the array and the index of the element, so that it is found
//! again when nothing else is left.
//!
//! The array `1f.12+.1` holds first attempts of the run `1f`; its element 3 is that of task 15, the
//! token `1f.15.1`.

use std::fmt::Write;

use crate::scheduler::script::{JOB_SCRIPT, quoted};
use crate::scheduler::{ReadyJob, TOKEN};
use crate::task::{TaskId, Token};

/// Returns the name of an array whose element 0 has the token `base`.
pub fn name(base: &Token) -> String {
    format!("{}.{}+.{}", base.run, base.task, base.attempt)
}

/// Returns the token of an element; None if `name` is no name of an array.
pub fn token(name: &str, index: u64) -> Option<Token> {
    let mut parts = name.split('.');
    let (run, base, attempt) = (parts.next()?, parts.next()?, parts.next()?);
    let base: u64 = base.strip_suffix('+')?.parse().ok()?;
    parts.next().is_none().then_some(())?;
    Some(Token {
        run: run.to_owned(),
        task: TaskId(base.checked_add(index)?),
        attempt: attempt.parse().ok()?,
    })
}

/// Indices as `sbatch --array` takes them: `0-2,5`. They are given in order.
pub fn ranges(indices: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &index in indices {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => ranges.push((index, index)),
        }
    }
    let ranges = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    ranges.collect::<Vec<_>>().join(",")
}

/// Returns the value of `SUBMITS` in the environment of the client that submits an array: a later
/// engine finds the client by it.
pub fn mark(name: &str, ranges: &str) -> String {
    format!("{name}:{ranges}")
}

/// Returns true if a client with this mark submits the job of a token.
pub fn is_among(mark: &str, token: &str) -> bool {
    let Some((name, ranges)) = mark.split_once(':') else {
        return false;
    };
    let Some(index) = token.parse().ok().and_then(|sought: Token| {
        let base = self::token(name, 0)?;
        let same = base.run == sought.run && base.attempt == sought.attempt;
        same.then(|| sought.task.0.checked_sub(base.task.0))?
    }) else {
        return false;
    };
    ranges.split(',').any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let bounds = (first.parse::<u64>(), last.parse::<u64>());
        matches!(bounds, (Ok(first), Ok(last)) if (first..=last).contains(&index))
    })
}

/// The lines of a script that Slurm reads, without the name of its job: jobs in which these are
/// equal may be elements of one array.
pub fn directives(script: &str) -> String {
    let head = script.lines().take_while(|line| line.starts_with('#'));
    let head = head.filter(|line| line.starts_with("#SBATCH ") && !line.contains("--job-name="));
    head.map(|line| format!("{line}\n")).collect()
}

/// The script of an array: each element becomes the script of its job, in the directory of that.
pub fn script(base: &Token, jobs: &[&ReadyJob]) -> String {
    let head = jobs
        .first()
        .map_or_else(String::new, |job| directives(&job.script));
    let mut text = format!("#!/bin/sh\n{head}case $SLURM_ARRAY_TASK_ID in\n");
    for ReadyJob { token, dir, .. } in jobs {
        let index = token.task.0.saturating_sub(base.task.0);
        let (token, dir) = (token.to_string(), dir.to_string_lossy());
        let (token, dir) = (quoted(&token), quoted(&dir));
        // To write to a text does not fail.
        let _ = writeln!(text, "{index}) {TOKEN}={token} dir={dir} ;;");
    }
    let _ = write!(
        text,
        "*) exit 1 ;;\nesac\nexport {TOKEN}\ncd -- \"$dir\" && exec /bin/bash -l {JOB_SCRIPT}\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_element_has_the_token_that_its_array_and_index_say() {
        let base: Token = "1f.12.1".parse().unwrap();
        assert_eq!(name(&base), "1f.12+.1");
        assert_eq!(token("1f.12+.1", 3), "1f.15.1".parse().ok());
        for other in ["1f.12.1", "wrap", "1f.x+.1", "1f.12+.1.2", "1f.12+"] {
            assert_eq!(token(other, 0), None, "{other}");
        }
    }

    #[test]
    fn runs_of_indices_are_ranges() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(ranges(&[4]), "4");
    }

    #[test]
    fn directives_are_the_head_of_a_script_but_for_its_name() {
        let script = "#!/bin/bash -l\n#SBATCH --job-name=1f.12.1\n#SBATCH --nodes=1\n# a remark\n#SBATCH --time=5\ncd /\n#SBATCH --no\n";
        assert_eq!(directives(script), "#SBATCH --nodes=1\n#SBATCH --time=5\n");
    }

    proptest! {
        #[test]
        fn a_mark_tells_which_jobs_are_submitted(tasks in prop::collection::btree_set(1u64..60, 1..30)) {
            let token = |task| Token { run: "1f".into(), task: TaskId(task), attempt: 2 };
            let first = *tasks.first().unwrap();
            let indices: Vec<u64> = tasks.iter().map(|task| task - first).collect();
            let mark = mark(&name(&token(first)), &ranges(&indices));
            for task in 0..70 {
                let among = is_among(&mark, &token(task).to_string());
                prop_assert_eq!(among, tasks.contains(&task), "{} {}", mark, task);
            }
            let other_attempt = format!("1f.{first}.1");
            let other_run = format!("2f.{first}.2");
            prop_assert!(!is_among(&mark, &other_attempt));
            prop_assert!(!is_among(&mark, &other_run));
        }
    }
}
