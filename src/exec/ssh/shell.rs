//! Input of the login shell of another host: one line that sh, bash, csh, tcsh and fish read alike,
//! and a script for `sh`, whose output comes after a mark. Other output of the shell comes before
//! the mark.

use crate::scheduler::script::quoted;

/// Reads the length of a script, the script, and carries it out; the rest of the input is the
/// script's own. There is no newline, backslash or exclamation mark in it, which csh would read
/// otherwise.
pub const LINE: &str =
    r#"exec sh -c 'read -r length && eval "$(dd bs=1 count=$length 2>/dev/null)"'"#;

/// Precedes the output, on stdout and stderr.
const MARK: &str = "\nmoldflow-says:\n";

/// Returns the input of `LINE` that carries out `script`, which sees `arguments`, and reads
/// `stdin`.
pub fn input(script: &str, arguments: &[String], stdin: &[u8]) -> Vec<u8> {
    let arguments: String = arguments
        .iter()
        .map(|word| format!(" {}", quoted(word)))
        .collect();
    let mark = MARK.replace('\n', "\\n");
    // In braces, so that nothing of a script is carried out that was cut short.
    let script =
        format!("{{\nprintf '{mark}'; printf '{mark}' >&2\nset --{arguments}\n{script}\n}}\n");
    let mut input = format!("{}\n{script}", script.len()).into_bytes();
    input.extend(stdin);
    input
}

/// Returns the output after the mark; None if no shell got so far.
pub fn said(printed: &[u8]) -> Option<&[u8]> {
    let mark = MARK.as_bytes();
    let start = printed
        .windows(mark.len())
        .position(|window| window == mark)?;
    Some(&printed[start + mark.len()..])
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Output, Stdio};

    use super::*;

    fn run(shell: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(shell[0])
            .args(&shell[1..])
            .arg(LINE)
            .env("HOME", "/nonexistent")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{shell:?}, which scripts/test installs: {e}"));
        let mut pipe = child.stdin.take().expect("a pipe");
        let _ = pipe.write_all(input);
        drop(pipe);
        child.wait_with_output().expect("it ends")
    }

    const SHELLS: [&[&str]; 6] = [
        &["sh", "-c"],
        &["bash", "-c"],
        &["bash", "-lc"],
        &["tcsh", "-c"],
        &["tcsh", "-fc"],
        &["fish", "-c"],
    ];

    #[test]
    fn every_login_shell_hands_over_arguments_and_input_as_they_are() {
        let arguments = [
            "a b",
            "it's",
            "!x \\ $HOME `id` \"q\"",
            "line\nbreak",
            "",
            "~/x",
            "ü",
        ];
        let arguments = arguments.map(str::to_owned);
        let script = "printf '%s|' \"$@\"\necho; cat; echo oops >&2; exit 7";
        let data: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        for shell in SHELLS {
            let output = run(shell, &input(script, &arguments, &data));
            let expected = [format!("{}|\n", arguments.join("|")).as_bytes(), &data].concat();
            assert_eq!(output.status.code(), Some(7), "{shell:?} {output:?}");
            assert!(said(&output.stdout) == Some(&expected), "{shell:?}");
            assert_eq!(said(&output.stderr), Some(&b"oops\n"[..]), "{shell:?}");
        }
    }

    #[test]
    fn nothing_of_a_script_that_was_cut_short_is_carried_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let trace = dir.path().join("trace");
        let script = format!("echo begun >>'{}'\nexit 0", trace.display());
        let whole = input(&script, &[], b"");
        for cut in 1..whole.len() - 1 {
            run(&["sh", "-c"], &whole[..cut]);
            assert!(!trace.exists(), "cut after {cut} of {} bytes", whole.len());
        }
        run(&["sh", "-c"], &whole);
        assert!(trace.exists());
    }
}
