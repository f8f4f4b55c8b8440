//! Why a host behind SSH cannot be used, and what to do about it.

/// Told apart by what OpenSSH and the other host say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("there is no `ssh` here")]
    NoClient,
    #[error("the host key of `{host}` is not known, or has changed")]
    HostKey { host: String },
    #[error("`{host}` does not accept a key of ours")]
    Denied { host: String },
    #[error("the name `{host}` is not known")]
    NoName { host: String },
    #[error("`{host}` is not reached: {why}")]
    NotReached { host: String, why: String },
    #[error("`{folder}` on `{host}` cannot be written to: {why}")]
    Folder {
        host: String,
        folder: String,
        why: String,
    },
    #[error("`{program}` on `{host}` does not run: {why}")]
    Program {
        host: String,
        program: String,
        why: String,
    },
    #[error("`{host}` has {theirs}, this is {ours}")]
    Version {
        host: String,
        theirs: String,
        ours: String,
    },
    #[error("the copy of this program does not run on `{host}`: {why}")]
    Copy { host: String, why: String },
}

impl Trouble {
    /// Reads what `ssh` said when it did not get through.
    pub fn of(host: &str, said: &str) -> Self {
        let host = host.to_owned();
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if says(&[
            "Host key verification failed",
            "HOST IDENTIFICATION HAS CHANGED",
        ]) {
            Self::HostKey { host }
        } else if says(&["Permission denied", "Too many authentication failures"]) {
            Self::Denied { host }
        } else if says(&["Could not resolve hostname"]) {
            Self::NoName { host }
        } else {
            let why = last_line(said);
            Self::NotReached { host, why }
        }
    }

    /// Whether the link may be to blame, which a run waits for.
    pub fn may_pass(&self) -> bool {
        // Without a network no name is known.
        matches!(self, Self::NotReached { .. } | Self::NoName { .. })
    }

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
            Self::NoName { host } => {
                format!("correct `host`, or write a `Host {host}` block into ~/.ssh/config")
            }
            Self::NotReached { host, .. } => format!(
                "try `ssh -v {host} true`; a host behind another needs `ProxyJump` in ~/.ssh/config"
            ),
            Self::Folder { .. } => "name a folder in `work_dir` that is yours".into(),
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

/// The last line of what a program said that has a word in it.
pub fn last_line(said: &str) -> String {
    let mut lines = said.lines().rev().map(str::trim);
    let line = lines.find(|line| line.chars().any(char::is_alphanumeric));
    line.unwrap_or("it failed without a word").to_owned()
}
