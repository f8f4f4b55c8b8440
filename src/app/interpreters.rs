//! Interpreters of the functions of tasks: started when a function is first called, and kept for
//! the next calls.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::exec::{Interpreter, InterpreterError};
use crate::python::{
    BRIDGE, CallError, PythonCaller, PythonFunction, answer_of, request_line, start_line,
};

/// Interpreters that a process has started. They end when this is dropped.
#[derive(Default)]
pub struct Interpreters(RefCell<InterpreterPool>);

#[derive(Default)]
struct InterpreterPool {
    kept: Vec<KeptInterpreter>,
    /// Folder of the task that is computed, absolute.
    dir: PathBuf,
    /// Most memory of an interpreter in that task, KiB.
    peak_kib: Option<u64>,
    /// Number of the last request.
    last: u64,
    /// Environment of the interpreters; that of this process if none is given.
    env: Option<Vec<(String, String)>>,
}

struct KeptInterpreter {
    /// First line that it was sent, and its program: functions with the same share it.
    start: Vec<u8>,
    program: String,
    memory_limit: u64,
    interpreter: Interpreter,
}

impl Interpreters {
    /// Interpreters with this environment.
    pub fn with_environment(env: Vec<(String, String)>) -> Self {
        Self(RefCell::new(InterpreterPool {
            env: Some(env),
            ..InterpreterPool::default()
        }))
    }

    /// Begins a task in the folder `dir`, where functions run and what they print is kept.
    ///
    /// # Errors
    ///
    /// There is no such folder.
    pub fn begin(&self, dir: &Path) -> io::Result<()> {
        let mut pool = self.0.borrow_mut();
        pool.dir = dir.canonicalize()?;
        pool.peak_kib = None;
        Ok(())
    }

    /// Most memory that an interpreter held in this task, KiB; None if it called no function.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        self.0.borrow().peak_kib
    }

    /// Loads a function without calling it.
    ///
    /// # Errors
    ///
    /// It cannot be loaded within `limit`.
    pub fn load(
        &self,
        function: &PythonFunction,
        call: &str,
        limit: Duration,
    ) -> Result<(), CallError> {
        let mut pool = self.0.borrow_mut();
        pool.request(function, call, None, Some(limit)).map(drop)
    }
}

impl PythonCaller for Interpreters {
    fn call(
        &self,
        function: &PythonFunction,
        call: &str,
        input: Vec<Value>,
    ) -> Result<Value, CallError> {
        let mut pool = self.0.borrow_mut();
        pool.request(function, call, Some(input), None)
    }

    fn dir(&self) -> PathBuf {
        self.0.borrow().dir.clone()
    }
}

impl InterpreterPool {
    fn request(
        &mut self,
        function: &PythonFunction,
        call: &str,
        input: Option<Vec<Value>>,
        limit: Option<Duration>,
    ) -> Result<Value, CallError> {
        self.last += 1;
        let id = self.last;
        let line = request_line(id, function, call, &self.dir, input);
        let (kept, line) = loop {
            let mut kept = self.take_or_start(function)?;
            let answer = kept.interpreter.ask(&line, &self.dir, limit);
            self.peak_kib = self.peak_kib.max(kept.interpreter.peak_memory_kib());
            match answer {
                Ok(line) => break (kept, line),
                // Only of one that was kept: the next one is new, or is asked as this one was.
                Err(InterpreterError::NotBegun) => {}
                Err(error) => return Err(failed(call, error)),
            }
        };
        let answer = answer_of(&line, id, call);
        // One that has answered is used again, whatever it said.
        if !matches!(
            answer,
            Err(CallError::Ended { .. } | CallError::Memory { .. })
        ) {
            self.kept.push(kept);
        }
        answer
    }

    /// Takes the interpreter of a function out of those that are kept, or starts one.
    fn take_or_start(&mut self, function: &PythonFunction) -> Result<KeptInterpreter, CallError> {
        let (start, memory_limit) = (start_line(function), function.memory_limit.bytes());
        let is_of_function = |kept: &KeptInterpreter| {
            kept.program == function.interpreter
                && kept.memory_limit == memory_limit
                && kept.start == start
        };
        if let Some(index) = self.kept.iter().position(is_of_function) {
            let kept = self.kept.swap_remove(index);
            if kept.interpreter.is_usable() {
                return Ok(kept);
            }
        }
        // No byte code is written: a file that changes twice within a second would be taken for
        // the one before.
        let argv = [function.interpreter.as_str(), "-B", "-c", BRIDGE].map(str::to_owned);
        let started = Interpreter::start(&argv, self.env.as_deref(), memory_limit);
        let mut interpreter = started.map_err(|source| CallError::Start {
            interpreter: function.interpreter.clone(),
            source,
        })?;
        let told = interpreter.tell(&start);
        told.map_err(|error| failed(&function.call, error))?;
        Ok(KeptInterpreter {
            start,
            program: function.interpreter.clone(),
            memory_limit,
            interpreter,
        })
    }
}

fn failed(call: &str, error: InterpreterError) -> CallError {
    let call = call.to_owned();
    match error {
        InterpreterError::Memory(_) => CallError::Memory {
            call,
            message: format!("its interpreter {error}, which is `memory_limit`"),
        },
        error => CallError::Ended {
            call,
            message: error.to_string(),
        },
    }
}
