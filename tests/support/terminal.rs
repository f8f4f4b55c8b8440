//! Programs in a pseudo terminal: `terminal.py` runs them, pyte emulates the terminal.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::run_to_end;

/// Runs a command in a terminal of this size, `80x24`, and follows the steps that `terminal.py`
/// describes; returns what it prints.
#[track_caller]
pub fn in_terminal(command: &Command, size: &str, steps: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/terminal.py");
    let mut python = Command::new("python3");
    python.arg(script).arg(size).arg(steps.to_string());
    python.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => python.env(name, value),
            None => python.env_remove::<&OsStr>(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        python.current_dir(folder);
    }
    run_to_end(&mut python).with_code(0).json()
}

/// Text of a screen that was kept under a name.
pub fn screen(seen: &Value, name: &str) -> String {
    let lines = seen["shown"][name].as_array().expect("a screen").iter();
    let lines: Vec<&str> = lines.filter_map(Value::as_str).collect();
    lines.join("\n")
}
