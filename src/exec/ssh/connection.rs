//! The connection to a host: one master of the system's own ssh, through which every command goes.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connect_error::{ConnectError, hung_up, last_line};
use super::shell;
use crate::exec::child::{self, ChildError, ChildOutput};

/// Longest time that connecting may take, the user's agent and jump hosts included.
const CONNECTING: Duration = Duration::from_secs(60);
/// Longest time that a request to the master on this host may take.
const CONTROL: Duration = Duration::from_secs(10);
/// First and longest time from a failed connection to the next; doubled each time.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Time after its last use for which a connection is used again without a check.
const FRESH: Duration = Duration::from_secs(20);
/// Exit status of ssh for an error of the connection.
const LOST: i32 = 255;

/// Options of the master connection and its clients. The rest is as the user's configuration has
/// it: names, keys, jump hosts.
const OPTIONS: [&str; 9] = [
    "BatchMode=yes",
    "ConnectTimeout=15",
    // A dead link is known after 20 s.
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    // Messages are read, greetings are not.
    "LogLevel=ERROR",
    // For sessions at a terminal; nothing listens here, and nothing calls back.
    "ClearAllForwardings=yes",
    "ForwardX11=no",
    "RemoteCommand=none",
    "RequestTTY=no",
];

/// BatchMode is no matter to the ssh that goes through a jump host: this keeps that one from asking
/// at the terminal.
pub const NO_QUESTION: [(&str, &str); 2] = [
    ("SSH_ASKPASS", "/bin/false"),
    ("SSH_ASKPASS_REQUIRE", "force"),
];

/// Connection to a host behind SSH, shared by the partitions on it.
#[derive(Debug)]
pub struct Connection {
    host: String,
    socket: PathBuf,
    state: Mutex<ConnectionState>,
}

#[derive(Debug, Default)]
struct ConnectionState {
    master: Option<Master>,
    used: Option<Instant>,
    /// When to try again after a failure, how long that waits, and what it was.
    failed: Option<(Instant, Duration, ConnectError)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Master {
    Own,
    /// One that the user's own configuration holds open, perhaps with a password or a token typed
    /// in.
    Users,
}

/// Exit status and output of a command on the remote host.
#[derive(Clone, Debug)]
pub struct Reply {
    /// None if a signal terminated ssh.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error, trimmed.
    pub stderr: String,
}

impl From<ChildOutput> for Reply {
    fn from(output: ChildOutput) -> Self {
        Self {
            code: output.status.code(),
            stderr: output.stderr_text(),
            stdout: output.stdout,
        }
    }
}

impl Reply {
    /// Output of the script itself, without what the login shell prints.
    fn after_mark(mut self, host: &str) -> Result<Self, ConnectError> {
        let Some(stdout) = shell::said(&self.stdout) else {
            let printed = String::from_utf8_lossy(&self.stdout);
            let why = last_line(&format!("{printed}\n{}", self.stderr));
            let host = host.to_owned();
            return Err(ConnectError::NoShell { host, why });
        };
        self.stdout = stdout.to_vec();
        if let Some(stderr) = shell::said(self.stderr.as_bytes()) {
            self.stderr = String::from_utf8_lossy(stderr).trim().to_owned();
        }
        Ok(self)
    }
}

impl Connection {
    /// Creates a connection that is opened when it is first needed.
    ///
    /// # Errors
    ///
    /// Fails if the folder of its socket cannot be made.
    pub fn new(host: &str) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("{}-{number}", std::process::id());
        Ok(Self {
            host: host.to_owned(),
            socket: sockets()?.join(name),
            state: Mutex::default(),
        })
    }

    /// Returns the name of the host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Runs a script of `sh` to its end, which may take `limit`.
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError`] if no answer came; it is not known if the script ran or still runs.
    pub fn run(
        &self,
        script: &str,
        arguments: &[String],
        stdin: &[u8],
        limit: Duration,
    ) -> Result<Reply, ConnectError> {
        let master = self.open()?;
        let mut command = self.client(master);
        command.args(["--", &self.host, shell::LINE]);
        let input = shell::input(script, arguments, stdin);
        let output = child::run(command, &input, Some(limit));
        let reply = Reply::from(output.map_err(|e| self.not_run(&e))?);
        match reply.code {
            Some(code) if code != LOST => {
                self.lock().used = Some(Instant::now());
                reply.after_mark(&self.host)
            }
            // A program that ends so is not told from a connection that does.
            _ => {
                self.lock().used = None;
                Err(ConnectError::of(&self.host, &reply.stderr))
            }
        }
    }

    /// Opens a master connection if there is none. After a failure it is retried with a backoff.
    fn open(&self) -> Result<Master, ConnectError> {
        let mut state = self.lock();
        let fresh = state.used.is_some_and(|used| used.elapsed() < FRESH);
        if let Some(master) = state.master
            && (fresh || self.lives(master))
        {
            return Ok(master);
        }
        let pause = match &state.failed {
            Some((until, _, trouble)) if Instant::now() < *until => return Err(trouble.clone()),
            Some((_, pause, _)) => (*pause * 2).min(BACKOFF.1),
            None => BACKOFF.0,
        };
        state.master = None;
        match self.connect() {
            Ok(master) => {
                tracing::info!("connected to `{}`", self.host);
                state.master = Some(master);
                state.failed = None;
                Ok(master)
            }
            Err(trouble) => {
                state.failed = Some((Instant::now() + pause, pause, trouble.clone()));
                Err(trouble)
            }
        }
    }

    fn connect(&self) -> Result<Master, ConnectError> {
        if self.lives(Master::Users) {
            return Ok(Master::Users);
        }
        // One whose link is dead, and the socket of one that was killed.
        self.close();
        let _ = fs::remove_file(&self.socket);
        let mut command = Command::new("ssh");
        command.args(["-M", "-N", "-f", "-S"]).arg(&self.socket);
        // It outlives an engine that is killed by so much.
        command.args(["-o", "ControlPersist=60"]);
        command.args(OPTIONS.iter().flat_map(|option| ["-o", option]));
        command.args(["--", &self.host]);
        // Into a file: a master in the background may hold on to it.
        let said = self.socket.with_extension("err");
        let ended = (|| -> Result<_, ChildError> {
            let mut child = command
                .env("LC_ALL", "C")
                .envs(NO_QUESTION)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(File::create(&said)?)
                .spawn()?;
            child::wait_within(&mut child, CONNECTING)
        })();
        let text = fs::read_to_string(&said).unwrap_or_default();
        let _ = fs::remove_file(&said);
        match ended {
            Ok(status) if status.success() => Ok(Master::Own),
            // A master says nothing of what the ssh to a jump host said.
            Ok(_) if hung_up(&text) => {
                let said = self.said_without_master();
                Err(ConnectError::of(
                    &self.host,
                    said.as_deref().unwrap_or(&text),
                ))
            }
            Ok(_) => Err(ConnectError::of(&self.host, &text)),
            Err(e) => Err(self.not_run(&e)),
        }
    }

    /// Message of ssh when it connects for one command; None if it connects.
    fn said_without_master(&self) -> Option<String> {
        let mut command = Command::new("ssh");
        command.args(["-o", "ControlPath=none", "-o", "ControlPersist=no"]);
        command.args(OPTIONS.iter().flat_map(|option| ["-o", option]));
        command.args(["--", &self.host, "exit"]);
        command.env("LC_ALL", "C").envs(NO_QUESTION);
        let output = child::run(command, &[], Some(CONNECTING)).ok()?;
        (output.status.code() == Some(LOST)).then(|| output.stderr_text())
    }

    /// Returns true if there is a master; its link may be down.
    fn lives(&self, master: Master) -> bool {
        self.control(master, "check")
    }

    fn close(&self) {
        self.control(Master::Own, "exit");
    }

    fn control(&self, master: Master, order: &str) -> bool {
        let mut command = self.client(master);
        command.args(["-O", order, "--", &self.host]);
        child::run(command, &[], Some(CONTROL)).is_ok_and(|output| output.status.success())
    }

    /// A client that goes through a master.
    fn client(&self, master: Master) -> Command {
        let mut command = Command::new("ssh");
        if master == Master::Own {
            command.arg("-S").arg(&self.socket);
            // Without the master it must not connect by itself.
            command.args(["-o", "ProxyCommand=false"]);
        }
        command.args(["-o", "ControlMaster=no"]);
        command.args(OPTIONS.iter().flat_map(|option| ["-o", option]));
        command.env("LC_ALL", "C");
        command
    }

    /// Error of an `ssh` that did not start or did not answer.
    fn not_run(&self, error: &ChildError) -> ConnectError {
        match error.is_not_found() {
            true => ConnectError::NoClient,
            false => ConnectError::NotReached {
                host: self.host.clone(),
                why: error.to_string(),
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.lock().master == Some(Master::Own) {
            self.close();
        }
    }
}

/// Directory of the sockets, which no other user may have made: a path for a socket holds a hundred
/// letters at most, so it cannot be in the run directory.
fn sockets() -> io::Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let base = base.filter(|base| base.is_dir() && base.as_os_str().len() < 40);
    let dir = base
        .unwrap_or_else(|| "/tmp".into())
        .join(format!("moldflow-{user}"));
    match DirBuilder::new().mode(0o700).create(&dir) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    let found = fs::symlink_metadata(&dir)?;
    if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
        let message = format!(
            "`{}` is no directory of this user's alone: remove it",
            dir.display()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(dir)
}
