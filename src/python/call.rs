//! Calls of functions: the JSON between this program and the one in the interpreter.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::settings::PythonFunction;

/// Calls functions of the user in Python.
pub trait PythonCaller {
    /// Calls `call`, written `module:function`, with positional arguments; the keyword arguments
    /// are those of `function`. Returns what it returned.
    ///
    /// # Errors
    ///
    /// The function cannot be loaded, it raised an exception, or its interpreter ended.
    fn call(
        &self,
        function: &PythonFunction,
        call: &str,
        input: Vec<Value>,
    ) -> Result<Value, CallError>;

    /// Folder of the task, absolute, where functions run and find their files.
    fn dir(&self) -> PathBuf;
}

/// Failure of a call.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The module cannot be imported, or has no such function: the traceback.
    #[error("`{call}` cannot be loaded: {message}")]
    Load {
        /// Name of the function.
        call: String,
        /// Traceback of the exception.
        message: String,
    },
    /// The function raised an exception: the traceback.
    #[error("`{call}` raised {message}")]
    Raised {
        /// Name of the function.
        call: String,
        /// Traceback of the exception.
        message: String,
    },
    /// The function raised `UnsupportedMolecule`.
    #[error("`{call}` does not treat this molecule: {message}")]
    Unsupported {
        /// Name of the function.
        call: String,
        /// Traceback of the exception.
        message: String,
    },
    /// The function raised `NotConverged`.
    #[error("`{call}` did not converge: {message}")]
    NotConverged {
        /// Name of the function.
        call: String,
        /// Traceback of the exception.
        message: String,
    },
    /// The interpreter needed more memory than it may have.
    #[error("`{call}` ran out of memory: {message}")]
    Memory {
        /// Name of the function.
        call: String,
        /// Traceback of the exception, or the limit.
        message: String,
    },
    /// The answer of the function has not the form that is asked for.
    #[error("`{call}`: {message}")]
    Answer {
        /// Name of the function.
        call: String,
        /// Description of the fault.
        message: String,
    },
    /// A number that the function returned is not finite.
    #[error("`{call}`: {message}")]
    NotANumber {
        /// Name of the function.
        call: String,
        /// Description of the fault.
        message: String,
    },
    /// The interpreter ended during the call, or wrote what is no answer.
    #[error("the interpreter of `{call}` {message}")]
    Ended {
        /// Name of the function.
        call: String,
        /// Description of its end.
        message: String,
    },
    /// The interpreter could not be started.
    #[error("the interpreter `{interpreter}` could not be started")]
    Start {
        /// Name or path of the interpreter.
        interpreter: String,
        /// Error of the host.
        #[source]
        source: io::Error,
    },
}

impl CallError {
    /// Fault of what `call` returned.
    pub fn answer(call: &str, message: impl Into<String>) -> Self {
        Self::Answer {
            call: call.to_owned(),
            message: message.into(),
        }
    }
}

/// First line for an interpreter: where it finds modules.
pub fn start_line(function: &PythonFunction) -> Vec<u8> {
    let modules = function.code.as_ref().map(|code| &code.modules);
    line(&json!({"path": function.path, "modules": modules.unwrap_or(&Default::default())}))
}

/// Line of a request in the directory `dir`, which is absolute. Without `input` the function is
/// loaded and not called.
pub fn request_line(
    id: u64,
    function: &PythonFunction,
    call: &str,
    dir: &Path,
    input: Option<Vec<Value>>,
) -> Vec<u8> {
    line(&json!({
        "id": id,
        "call": call,
        "directory": dir,
        "only_load": input.is_none(),
        "input": input.unwrap_or_default(),
        "arguments": function.arguments,
    }))
}

fn line(value: &Value) -> Vec<u8> {
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// Line that an interpreter answers with.
#[derive(Deserialize)]
struct AnswerLine {
    id: u64,
    #[serde(default)]
    returned: Value,
    error: Option<String>,
    #[serde(default)]
    message: String,
}

/// Reads the answer to request `id` of the function `call`.
///
/// # Errors
///
/// That of the function; `Ended` if the line is no answer to the request.
pub fn answer_of(line: &[u8], id: u64, call: &str) -> Result<Value, CallError> {
    let call = call.to_owned();
    let answer: AnswerLine = match serde_json::from_slice(line) {
        Ok(answer) => answer,
        Err(error) => {
            let message = format!("wrote what is no answer: {error}");
            return Err(CallError::Ended { call, message });
        }
    };
    if answer.id != id {
        let message = format!("answered request {} in place of {id}", answer.id);
        return Err(CallError::Ended { call, message });
    }
    let message = answer.message;
    match answer.error.as_deref() {
        None => Ok(answer.returned),
        Some("load") => Err(CallError::Load { call, message }),
        Some("unsupported") => Err(CallError::Unsupported { call, message }),
        Some("not_converged") => Err(CallError::NotConverged { call, message }),
        Some("memory") => Err(CallError::Memory { call, message }),
        Some("answer") => Err(CallError::Answer { call, message }),
        Some(_) => Err(CallError::Raised { call, message }),
    }
}

/// Reads a list of `count` finite numbers that the function `call` returned as `what`.
///
/// # Errors
///
/// It is no list, of another length, or holds what is no finite number.
pub fn numbers(
    call: &str,
    what: &str,
    returned: &Value,
    count: usize,
) -> Result<Vec<f64>, CallError> {
    let Value::Array(list) = returned else {
        return Err(CallError::answer(call, format!("{what} are no list")));
    };
    if list.len() != count {
        let message = format!("{what} are {} numbers for {count} molecules", list.len());
        return Err(CallError::answer(call, message));
    }
    let number = |(index, value): (usize, &Value)| match value {
        Value::Number(number) => Ok(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) if ["nan", "inf", "-inf"].contains(&text.as_str()) => {
            Err(CallError::NotANumber {
                call: call.to_owned(),
                message: format!("number {index} of {what} is {text}"),
            })
        }
        _ => {
            let message = format!("number {index} of {what} is no number");
            Err(CallError::answer(call, message))
        }
    };
    list.iter().enumerate().map(number).collect()
}
