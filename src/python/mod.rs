//! Functions of the user in Python: their settings, their code, and the JSON of a call.
//!
//! `exec` runs the interpreters, with the program `_bridge.py` of the Python package in them; `app` joins the two.

mod call;
mod caller;
mod code;
mod settings;

pub use call::{CallError, PythonCaller, answer_of, numbers, request_line, start_line};
pub use caller::{caller_of, with_caller};
pub use code::{CodeError, PythonCode, PythonModule};
pub use settings::{FunctionName, PythonFunction};

/// Program that the interpreter runs: it calls functions, one request after another.
pub const BRIDGE: &str = include_str!("../../python/moldflow/_bridge.py");
