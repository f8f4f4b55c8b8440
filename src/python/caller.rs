//! Caller of the task that a thread computes. Surrogates, generators and acquisitions call
//! functions by it, and need not hand it from one to the other.

use std::cell::RefCell;
use std::rc::Rc;

use super::call::{CallError, PythonCaller};

thread_local! {
    static CALLER: RefCell<Option<Rc<dyn PythonCaller>>> = const { RefCell::new(None) };
}

/// Does `work`, whose functions in Python are called by `caller`.
pub fn with_caller<T>(caller: Rc<dyn PythonCaller>, work: impl FnOnce() -> T) -> T {
    let before = CALLER.replace(Some(caller));
    let done = work();
    CALLER.set(before);
    done
}

/// Returns the caller of this thread's task, to call `call`.
///
/// # Errors
///
/// `Ended` outside of a task, where nothing may be called.
pub fn caller_of(call: &str) -> Result<Rc<dyn PythonCaller>, CallError> {
    CALLER
        .with_borrow(Clone::clone)
        .ok_or_else(|| CallError::Ended {
            call: call.to_owned(),
            message: "is not there: functions are called in tasks only".to_owned(),
        })
}
