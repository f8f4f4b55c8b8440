//! Errors of hosts behind SSH, with hints.

use std::path::Path;

use super::client_config::proxy_jump;

/// Reason why a host behind SSH cannot be used, known from the messages of OpenSSH and of the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No `ssh` is installed on this host.
    #[error("there is no `ssh` here")]
    NoClient,
    /// The host key is unknown or has changed.
    #[error("the host key of `{host}` is not known, or has changed")]
    HostKey {
        /// Name of the host, as the profile has it.
        host: String,
    },
    /// The host accepts no key of the user.
    #[error("`{host}` does not accept a key of ours")]
    Denied {
        /// Name of the host, as the profile has it.
        host: String,
    },
    /// The host key of a jump host is unknown or has changed.
    #[error(
        "the host key of {jump}, through which `{host}` is reached, is not known, or has changed"
    )]
    JumpHostKey {
        /// Name of the host, as the profile has it.
        host: String,
        /// The jump host.
        jump: Jump,
    },
    /// A jump host accepts no key of the user.
    #[error("{jump}, through which `{host}` is reached, does not accept a key of ours")]
    JumpDenied {
        /// Name of the host, as the profile has it.
        host: String,
        /// The jump host.
        jump: Jump,
    },
    /// The login shell runs no command.
    #[error("the login shell on `{host}` carries out no command: {why}")]
    NoShell {
        /// Name of the host, as the profile has it.
        host: String,
        /// Message of the command.
        why: String,
    },
    /// The host name cannot be resolved.
    #[error("the name `{host}` is not known")]
    NoName {
        /// Name of the host, as the profile has it.
        host: String,
    },
    /// No connection came about.
    #[error("`{host}` is not reached: {why}")]
    NotReached {
        /// Name of the host, as the profile has it.
        host: String,
        /// Message of the command.
        why: String,
    },
    /// The folder for attempts cannot be written to.
    #[error("`{folder}` on `{host}` cannot be written to: {why}")]
    Folder {
        /// Name of the host, as the profile has it.
        host: String,
        /// Path of the folder.
        folder: String,
        /// Message of the command.
        why: String,
    },
    /// The disk of the folder is full.
    #[error("the disk of `{folder}` on `{host}` is full: {why}")]
    Full {
        /// Name of the host, as the profile has it.
        host: String,
        /// Path of the folder.
        folder: String,
        /// Message of the command.
        why: String,
    },
    /// No program can be executed in the folder.
    #[error(
        "no program can be executed in `{folder}` on `{host}`, as on a file system that is mounted with `noexec`"
    )]
    NoExec {
        /// Name of the host, as the profile has it.
        host: String,
        /// Path of the folder.
        folder: String,
    },
    /// The program named by `moldflow` does not run.
    #[error("`{program}` on `{host}` does not run: {why}")]
    Program {
        /// Name of the host, as the profile has it.
        host: String,
        /// Path of the program.
        program: String,
        /// Message of the command.
        why: String,
    },
    /// The program on the host has another version.
    #[error("`{host}` has {theirs}, this is {ours}")]
    Version {
        /// Name of the host, as the profile has it.
        host: String,
        /// Version on the host.
        theirs: String,
        /// Version of this program.
        ours: String,
    },
    /// The copy of this program does not run.
    #[error("the copy of this program does not run on `{host}`: {why}")]
    Copy {
        /// Name of the host, as the profile has it.
        host: String,
        /// Message of the command.
        why: String,
    },
}

/// A jump host; None if ssh does not name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jump(Option<String>);

impl std::fmt::Display for Jump {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match &self.0 {
            Some(name) => write!(f, "the jump host `{name}`"),
            None => f.write_str("a jump host"),
        }
    }
}

impl Jump {
    /// As the user's configuration calls it, or as ssh does in `me@gateway: Permission denied
    /// (publickey).` and `No ED25519 host key is known for [gateway]:22 and you have requested
    /// strict checking.`
    fn of(host: &str, said: &str) -> Self {
        let denied = said.lines().find_map(|line| {
            let (before, _) = line.split_once(": Permission denied")?;
            Some(before.rsplit('@').next()?.to_owned())
        });
        let key = ["ost key is known for ", "ost key for "];
        let key = key.iter().find_map(|words| {
            let (_, after) = said.split_once(words)?;
            Some(after.split_whitespace().next()?.to_owned())
        });
        Self(proxy_jump(host).or(denied).or(key))
    }

    fn ssh(&self) -> String {
        match &self.0 {
            Some(name) => format!("`ssh {name}`"),
            None => "`ssh` to it (`ssh -G` names it under `proxyjump`)".to_owned(),
        }
    }
}

impl ConnectError {
    /// Returns the error for the messages `said` of an `ssh` that did not get through.
    pub fn of(host: &str, said: &str) -> Self {
        let host = host.to_owned();
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let is_key = says(&[
            "Host key verification failed",
            "HOST IDENTIFICATION HAS CHANGED",
        ]);
        let is_denied = says(&["Permission denied", "Too many authentication failures"]);
        if (is_key || is_denied) && hung_up(said) {
            let jump = Jump::of(&host, said);
            match is_key {
                true => Self::JumpHostKey { host, jump },
                false => Self::JumpDenied { host, jump },
            }
        } else if is_key {
            Self::HostKey { host }
        } else if is_denied {
            Self::Denied { host }
        } else if says(&["Could not resolve hostname"]) && !hung_up(said) {
            Self::NoName { host }
        } else {
            // The ssh to a jump host says more than that it hung up.
            let telling: Vec<&str> = said.lines().filter(|line| !hung_up(line)).collect();
            let telling = telling.join("\n");
            let why = last_line(if telling.trim().is_empty() {
                said
            } else {
                &telling
            });
            Self::NotReached { host, why }
        }
    }

    /// Returns the error for the messages `said` about a folder that could not be written to.
    pub fn of_folder(host: &str, folder: &Path, said: &str) -> Self {
        let (host, folder) = (host.to_owned(), folder.display().to_string());
        let why = last_line(said);
        let full = ["No space left on device", "Disk quota exceeded"];
        match full.iter().any(|words| said.contains(words)) {
            true => Self::Full { host, folder, why },
            false => Self::Folder { host, folder, why },
        }
    }

    /// Returns true if the link may be the cause; a resumed run waits for it.
    pub fn may_pass(&self) -> bool {
        // Without a network no name is known.
        matches!(self, Self::NotReached { .. } | Self::NoName { .. })
    }

    /// Returns advice for the user.
    pub fn hint(&self) -> String {
        match self {
            Self::NoClient => "install OpenSSH's client".into(),
            Self::HostKey { host } => format!(
                "run `ssh {host}` once and compare the key; a changed key may mean another machine"
            ),
            Self::Denied { host } => format!(
                "load a key into the agent (`ssh-add`), or name one for `{host}` in ~/.ssh/config; moldflow asks for no password, but \
                 goes through a connection that `ssh {host}` holds open by `ControlMaster` and `ControlPath`"
            ),
            Self::JumpHostKey { jump, .. } => format!(
                "run {} once and compare the key; a changed key may mean another machine",
                jump.ssh()
            ),
            Self::JumpDenied { jump, .. } => format!(
                "load a key that it accepts into the agent (`ssh-add`), or name one for it in ~/.ssh/config; {} has to need no password",
                jump.ssh()
            ),
            Self::NoShell { host, .. } => {
                format!("`ssh {host} true` has to work: ask those who run the host for a login shell")
            }
            Self::NoName { host } => {
                format!("correct `host`, or write a `Host {host}` block into ~/.ssh/config")
            }
            Self::NotReached { host, .. } => format!(
                "try `ssh -v {host} true`; a host behind another needs `ProxyJump` in ~/.ssh/config"
            ),
            Self::Folder { .. } => "name a folder in `work_dir` that is yours".into(),
            Self::Full { .. } => {
                "make room there, or name a folder on another file system in `work_dir`".into()
            }
            Self::NoExec { .. } => {
                "name a folder on another file system in `work_dir`; or install moldflow elsewhere there, and name its path by `moldflow`"
                    .into()
            }
            Self::Program { .. } => {
                "correct the path `moldflow`, or leave it out to have this program copied".into()
            }
            Self::Version { .. } => {
                "install the same version there, or leave out `moldflow` to have this one copied"
                    .into()
            }
            Self::Copy { .. } => {
                "build moldflow on that host, and name its path there by `moldflow` in the profile"
                    .into()
            }
        }
    }
}

/// Returns true for the last words of ssh after the ssh to a jump host has given up.
pub fn hung_up(said: &str) -> bool {
    let words = [
        "kex_exchange_identification: Connection closed",
        "UNKNOWN port 65535",
    ];
    words.iter().any(|words| said.contains(words))
}

/// Returns the last line with a word in it of what a program printed.
pub fn last_line(said: &str) -> String {
    let mut lines = said.lines().rev().map(str::trim);
    let line = lines.find(|line| line.chars().any(char::is_alphanumeric));
    line.unwrap_or("the command failed without any output")
        .to_owned()
}
