//! Faults of the host on which something runs. They say nothing about a molecule or a program.

use std::error::Error;
use std::fmt;
use std::io;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Fault of a host: the run stops, and can be resumed once the fault is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostFault {
    /// No room on a disk or in a quota (ENOSPC, EDQUOT).
    DiskFull,
    /// No file descriptors (EMFILE, ENFILE).
    NoDescriptors,
    /// No processes or threads (EAGAIN).
    NoProcesses,
    /// No memory for the kernel's own work (ENOMEM).
    NoMemory,
    /// A device or a file system that fails (EIO, ESTALE, ENXIO and the like), or breaks off
    /// (EINTR).
    InputOutput,
    /// A file system that was remounted read-only (EROFS), as Linux does after an error.
    ReadOnly,
}

/// Beyond the statuses that shells, schedulers and Rust's panics use.
const FIRST_EXIT_CODE: u8 = 170;

impl HostFault {
    /// Returns the fault behind an error or one of its causes, by the number that the system gave.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let errno = error.downcast_ref::<Errno>().copied();
            let fault = error.downcast_ref().and_then(Self::of_io);
            let fault = fault.or(errno.and_then(|errno| Self::of_code(errno.raw_os_error())));
            if fault.is_some() {
                return fault;
            }
            cause = error.source();
        }
        None
    }

    fn of_io(error: &io::Error) -> Option<Self> {
        if let Some(code) = error.raw_os_error() {
            return Self::of_code(code);
        }
        let explained = error.get_ref()?.downcast_ref::<Explained>()?;
        Self::of_io(&explained.cause)
    }

    fn of_code(code: i32) -> Option<Self> {
        match code {
            libc::ENOSPC | libc::EDQUOT => Some(Self::DiskFull),
            libc::EMFILE | libc::ENFILE => Some(Self::NoDescriptors),
            libc::EAGAIN => Some(Self::NoProcesses),
            libc::ENOMEM => Some(Self::NoMemory),
            libc::EINTR
            | libc::EIO
            | libc::ESTALE
            | libc::ENXIO
            | libc::ENODEV
            | libc::EREMOTEIO
            | libc::EUCLEAN
            | libc::ENOTCONN => Some(Self::InputOutput),
            libc::EROFS => Some(Self::ReadOnly),
            _ => None,
        }
    }

    /// Returns the exit status of a task that met it and could not even write that down.
    pub fn exit_code(self) -> u8 {
        let place = Self::ALL.iter().position(|fault| *fault == self);
        FIRST_EXIT_CODE + place.unwrap_or_default() as u8
    }

    /// Returns the fault that a task reports by its exit status.
    pub fn of_exit_code(code: i32) -> Option<Self> {
        let place = usize::try_from(code.checked_sub(FIRST_EXIT_CODE.into())?).ok()?;
        Self::ALL.get(place).copied()
    }

    const ALL: [Self; 6] = [
        Self::DiskFull,
        Self::NoDescriptors,
        Self::NoProcesses,
        Self::NoMemory,
        Self::InputOutput,
        Self::ReadOnly,
    ];

    /// Returns the action of the user before the run can be resumed.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::DiskFull => "make room on the disk",
            Self::NoDescriptors => "raise the limit on open files (`ulimit -n`), or close others",
            Self::NoProcesses => "raise the limit on processes (`ulimit -u`), or end others",
            Self::NoMemory => "free memory",
            Self::InputOutput => "look for the cause in the system's log (`dmesg`)",
            Self::ReadOnly => "make the file system writable again",
        }
    }
}

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiskFull => "the disk is full",
            Self::NoDescriptors => "no file descriptors are left",
            Self::NoProcesses => "no process or thread can be started",
            Self::NoMemory => "no memory is left",
            Self::InputOutput => "the disk or its file system fails",
            Self::ReadOnly => "the file system is read-only",
        })
    }
}

/// Returns the error with `what` in front of its message; `HostFault::of` still finds its number.
pub fn explained(what: impl Into<String>, source: io::Error) -> io::Error {
    let (what, kind) = (what.into(), source.kind());
    io::Error::new(
        kind,
        Explained {
            what,
            cause: source,
        },
    )
}

#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
struct Explained {
    what: String,
    // Not a source for `thiserror`: the message already holds it.
    cause: io::Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_fault_is_found_behind_explanations_and_causes() {
        let io = io::Error::from_raw_os_error(libc::EMFILE);
        let error = Outer(explained("could not start `x`", explained("inner", io)));
        assert_eq!(HostFault::of(&error), Some(HostFault::NoDescriptors));
        assert!(error.0.to_string().contains("could not start `x`: inner: "));
    }

    #[test]
    fn an_exit_status_names_its_fault() {
        for fault in HostFault::ALL {
            assert_eq!(
                HostFault::of_exit_code(fault.exit_code().into()),
                Some(fault)
            );
        }
        for code in [0, 1, 101, 137, 169, 176] {
            assert_eq!(HostFault::of_exit_code(code), None);
        }
    }

    #[test]
    fn what_a_task_can_do_wrong_is_no_fault_of_the_host() {
        for code in [
            libc::ENOENT,
            libc::EACCES,
            libc::EISDIR,
            libc::ELOOP,
            libc::ENOEXEC,
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(HostFault::of(&error), None, "{error}");
        }
        assert_eq!(
            HostFault::of(&io::Error::other("No space left on device (os error 28)")),
            None
        );
    }
}
