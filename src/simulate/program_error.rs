//! Extraction of the error message from the output of a failed program.

/// Text without the lines of Fortran backtraces, and without those in which MPI launchers repeat
/// that a process failed.
pub(crate) fn without_backtrace(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !is_backtrace(line)).collect();
    lines.join("\n").trim().to_owned()
}

/// Error message in the standard error of a program: the last line that contains `error`, or else
/// the last line; None if there is no line.
pub(super) fn error_sentence(stderr: &str) -> Option<String> {
    let text = without_backtrace(stderr);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_error = |line: &&str| line.to_lowercase().contains("error");
    let line = lines().rfind(is_error);
    line.or_else(|| lines().next_back()).map(str::to_owned)
}

fn is_backtrace(line: &str) -> bool {
    let line = line.trim();
    // libgfortran: `#0  0x7f3c in ???`, and `at xtb.f90:12` below it.
    let is_frame = line.strip_prefix('#').is_some_and(|rest| {
        let mut words = rest.split_whitespace();
        words.next().is_some_and(|word| word.parse::<u32>().is_ok())
            && words.next().is_some_and(|word| word.starts_with("0x"))
    });
    let is_place = line
        .strip_prefix("at ")
        .is_some_and(|rest| !rest.contains(' ') && rest.contains(':'));
    // ifort: a table of images, addresses, routines, lines and sources.
    let is_row = line.ends_with("Unknown") && line.contains("  ");
    is_frame
        || is_place
        || is_row
        || line.starts_with("Image ") && line.contains(" Routine ")
        || [
            "Backtrace for this error:",
            "Error termination. Backtrace:",
            "Error termination.",
        ]
        .contains(&line)
        || line.starts_with("Note: The following floating-point exceptions are signalling")
        || line.starts_with("with errorcode")
        || line.starts_with("MPI_ABORT was invoked")
        || line.starts_with("NOTE: invoking MPI_ABORT")
        || line.starts_with("You may or may not see output from other processes")
        || line.starts_with("exactly when Open MPI kills them")
        || line.len() > 9 && line.chars().all(|c| c == '-')
        || line.starts_with("mpirun ")
        || line.starts_with("mpiexec ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Backtraces as gfortran 12 and Python 3.11 write them.
    #[test]
    fn a_failure_is_told_in_the_words_of_the_program() {
        for (stderr, sentence) in [
            (
                "At line 71 of file ../src/scf.f90\nFortran runtime error: Index '0' of array is below its lower bound\n\nError termination. Backtrace:\n#0  0x7f8a1c023d21 in ???\n#1  0x55d0c1a2b3c4 in scf\n\tat ../src/scf.f90:71\n",
                "Fortran runtime error: Index '0' of array is below its lower bound",
            ),
            (
                "Program received signal SIGFPE: Floating-point exception - erroneous arithmetic operation.\n\nBacktrace for this error:\n#0  0x7f8a1c023d21 in ???\n",
                "Program received signal SIGFPE: Floating-point exception - erroneous arithmetic operation.",
            ),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 3, in <module>\nValueError: no basis\n",
                "ValueError: no basis",
            ),
            ("the licence has expired\n\n", "the licence has expired"),
        ] {
            assert_eq!(error_sentence(stderr).as_deref(), Some(sentence));
        }
        assert_eq!(error_sentence("\n"), None);
    }
}
