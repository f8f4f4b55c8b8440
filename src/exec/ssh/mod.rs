//! The transport `ssh`: attempts on another host, reached by the system's own ssh.
//!
//! This program runs on both hosts. The local side puts and fetches files (`SshTransport`); the
//! remote side stores directories (`work_dir`) and runs tasks as processes (`processes`). No server
//! listens on the remote host: each request is a command of its own.

mod client_config;
mod connect_error;
mod connection;
mod message;
pub(crate) mod processes;
pub(crate) mod shell;
pub(crate) mod work_dir;

use std::fs::{self, File as OpenFile};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use connect_error::ConnectError;
pub use connection::Connection;
pub(crate) use connection::NO_QUESTION;
use connection::Reply;

use self::connect_error::last_line;
use self::message::{ExchangeAnswer, ExchangeMessage, ExchangeRequest, MessageFile, decoded};
use self::work_dir::plain;
use super::scratch::{RUN_DIR, SCRATCH};
use super::transport::{PutError, Transport};
use super::{Job, job_wrapper};
use crate::host::hash::sha256;
use crate::scheduler::{CommandHost, CommandOutput, CommandRequest, Unreachable};
use crate::task::Token;

/// Longest time that a command may take: one of a scheduler whose controller does not answer
/// takes a minute.
const COMMAND: Duration = Duration::from_secs(180);
/// Longest time that a transfer of files may take.
const TRANSFER: Duration = Duration::from_secs(3600);

/// Output of `--version`.
const VERSION: &str = concat!("moldflow ", env!("CARGO_PKG_VERSION"));
/// Makes the folder `$1`, writes a file in it, and prints its path.
pub(crate) const MAKE_FOLDER: &str = r#"case $1 in "~") set -- "$HOME" "$2" ;; "~/"*) set -- "$HOME/${1#"~/"}" "$2" ;; esac
umask 077; mkdir -p -- "$1/attempts" "$1/files" && echo | cat >"$1/.probe-$$" || { rm -f "$1/.probe-$$"; exit 3; }
rm -f "$1/.probe-$$"; printf '%s\n' "$1""#;
/// Prints the path and the version of the program `$2`.
const ASK_PROGRAM: &str = r#"case $2 in "~/"*) set -- "$1" "$HOME/${2#"~/"}" ;; esac
if test -f "$2" && ! test -x "$2"; then exit 5; fi
program=$(command -v "$2") || exit 4
printf '%s\n' "$program"; exec "$program" --version"#;
/// Runs a command.
const RUN: &str = "exec \"$@\"";
/// Installs a program from the input, whole or not at all: the input may end with the connection.
const INSTALL: &str = "umask 077; mkdir -p -- \"$1\" && new=$1/.new-$$ || exit 3
cat >\"$new\" && test \"$(wc -c <\"$new\")\" -eq \"$2\" && chmod 700 \"$new\" && mv -f \"$new\" \"$1/moldflow\" && exit
rm -f \"$new\"; exit 3";

/// Host behind SSH, and the folder that is used there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshParams {
    /// Name in the user's ssh configuration, or `user@host`.
    pub host: String,
    /// Path of this program on that host; None to have it copied there.
    pub moldflow: Option<PathBuf>,
    /// Folder on that host in which the directories of attempts are made.
    pub work_dir: PathBuf,
}

/// Transport to a folder on a host behind SSH.
pub struct SshTransport {
    connection: Arc<Connection>,
    place: SshParams,
    /// Path of this program on this host.
    executable: PathBuf,
    /// Path of this program on that host; None until it was prepared.
    there: Option<PathBuf>,
    /// Attempts whose directories on that host are removed with the next request.
    done: Vec<Token>,
}

impl SshTransport {
    /// Creates a transport to `place` through the connection to its host. `executable`: path of
    /// this program here. Nothing is sent yet.
    pub fn new(connection: Arc<Connection>, place: SshParams, executable: &Path) -> Self {
        Self {
            connection,
            place,
            executable: executable.to_owned(),
            there: None,
            done: Vec::new(),
        }
    }

    /// Returns the folder, as the host sees it.
    pub fn work_dir(&self) -> &str {
        self.place.work_dir.to_str().unwrap_or_default()
    }

    /// Connects, makes the folder, and copies this program if the profile names none. Returns the
    /// path of the program there.
    ///
    /// # Errors
    ///
    /// Returns the reason why the host, the folder or the program cannot be used.
    pub fn prepare(&mut self) -> Result<PathBuf, ConnectError> {
        if let Some(there) = &self.there {
            return Ok(there.clone());
        }
        let host = self.connection.host().to_owned();
        let there = match self.place.moldflow.clone() {
            None => self.copied()?,
            Some(program) => match self.probe(&program)? {
                ProgramProbe::At(there) => there,
                ProgramProbe::Absent(why) => {
                    let program = program.display().to_string();
                    return Err(ConnectError::Program { host, program, why });
                }
                ProgramProbe::NotExecutable => {
                    let program = program.display().to_string();
                    let why = "it cannot be executed".to_owned();
                    return Err(ConnectError::Program { host, program, why });
                }
                ProgramProbe::Other(theirs) => {
                    let ours = VERSION.to_owned();
                    return Err(ConnectError::Version { host, theirs, ours });
                }
            },
        };
        self.there = Some(there.clone());
        Ok(there)
    }

    /// Copies this program to a path with its SHA-256, if it is not there; returns the path.
    fn copied(&mut self) -> Result<PathBuf, ConnectError> {
        let host = self.connection.host().to_owned();
        let copy = |why| ConnectError::Copy {
            host: host.clone(),
            why,
        };
        // Not by its path, where a newer one may lie by now.
        let content =
            fs::read("/proc/self/exe").map_err(|e| copy(format!("it cannot be read here: {e}")))?;
        let name = Path::new("bin").join(sha256(&content));
        let program = |place: &SshParams| place.work_dir.join(&name).join("moldflow");
        match self.probe(&program(&self.place))? {
            ProgramProbe::At(there) => return Ok(there),
            ProgramProbe::NotExecutable => return Err(self.no_exec()),
            ProgramProbe::Other(_) | ProgramProbe::Absent(_) => {}
        }
        // Now the folder is known by its path from the root.
        let dir = self.place.work_dir.join(&name).display().to_string();
        let arguments = [dir, content.len().to_string()];
        let reply = self
            .connection
            .run(INSTALL, &arguments, &content, TRANSFER)?;
        if reply.code != Some(0) {
            return Err(self.folder(&reply.stderr));
        }
        match self.probe(&program(&self.place))? {
            ProgramProbe::At(there) => Ok(there),
            ProgramProbe::NotExecutable => Err(self.no_exec()),
            ProgramProbe::Other(why) | ProgramProbe::Absent(why) => Err(copy(why)),
        }
    }

    /// Makes the folder, whose absolute path is known then, and looks for a program.
    fn probe(&mut self, program: &Path) -> Result<ProgramProbe, ConnectError> {
        let work_dir: &Path = &self.place.work_dir;
        let paths = [work_dir, program].map(|path| path.display().to_string());
        let script = format!("{MAKE_FOLDER}\n{ASK_PROGRAM}");
        let reply = self.connection.run(&script, &paths, &[], COMMAND)?;
        let printed = String::from_utf8_lossy(&reply.stdout).into_owned();
        let mut lines = printed.lines();
        match (reply.code, lines.next()) {
            (Some(3), _) | (_, None) => return Err(self.folder(&reply.stderr)),
            (_, Some(folder)) => self.place.work_dir = folder.into(),
        }
        if reply.code == Some(5) {
            return Ok(ProgramProbe::NotExecutable);
        }
        let Some(path) = lines.next() else {
            return Ok(ProgramProbe::Absent("there is no such program".into()));
        };
        Ok(match lines.next().unwrap_or_default().trim() {
            VERSION => ProgramProbe::At(path.into()),
            "" => ProgramProbe::Absent(last_line(&reply.stderr)),
            other => ProgramProbe::Other(other.to_owned()),
        })
    }

    fn folder(&self, said: &str) -> ConnectError {
        ConnectError::of_folder(self.connection.host(), &self.place.work_dir, said)
    }

    fn no_exec(&self) -> ConnectError {
        ConnectError::NoExec {
            host: self.connection.host().to_owned(),
            folder: self.place.work_dir.display().to_string(),
        }
    }

    /// Error of an answer that was not expected.
    fn failed(&self, answer: &ExchangeAnswer) -> PutError {
        match answer {
            ExchangeAnswer::Failed(why) => match self.folder(why) {
                // No fault of the task: it is put again later.
                full @ ConnectError::Full { .. } => Unreachable::from(full).into(),
                _ => PutError::Files(io::Error::other((*why).to_owned())),
            },
            other => PutError::Files(io::Error::other(format!(
                "the answer makes no sense: {other:?}"
            ))),
        }
    }

    /// Runs a command. If there is no such program, this program is prepared again before the next
    /// command.
    fn call(
        &mut self,
        argv: &[String],
        stdin: &[u8],
        limit: Duration,
    ) -> Result<Reply, Unreachable> {
        let reply = self.connection.run(RUN, argv, stdin, limit)?;
        if reply.code == Some(127) {
            self.there = None;
        }
        Ok(reply)
    }

    /// Sends a request, and with it the attempts that may be removed.
    fn ask<T>(
        &mut self,
        request: ExchangeRequest,
        read: impl FnOnce(&Self, ExchangeAnswer) -> T,
    ) -> Result<T, Unreachable> {
        let program = self.executable()?.display().to_string();
        let work_dir = self.place.work_dir.display().to_string();
        let argv = [&*program, "remote", "exchange", &work_dir].map(str::to_owned);
        let done: Vec<String> = self.done.iter().map(Token::to_string).collect();
        let done = done.iter().map(String::as_str).collect();
        let message = ExchangeMessage { done, request }.encoded();
        let reply = self.call(&argv, &message, TRANSFER)?;
        let answer = decoded(&reply.stdout);
        let answer = answer.ok_or_else(|| Unreachable(last_line(&reply.stderr)))?;
        self.done.clear();
        Ok(read(self, answer))
    }

    /// Makes the directory of a job. Returns the SHA-256 of linked files that the host lacks; then
    /// nothing was made.
    fn put_attempt(
        &mut self,
        token: &str,
        files: &[(String, Vec<u8>)],
        links: &[(String, Vec<u8>, &str)],
    ) -> Result<Vec<String>, PutError> {
        let files = files
            .iter()
            .map(|(name, content)| MessageFile { name, content });
        let links = links.iter().map(|(hash, _, name)| (&**hash, *name));
        let request = ExchangeRequest::Put {
            token,
            files: files.collect(),
            links: links.collect(),
        };
        self.ask(request, |way, answer| match answer {
            ExchangeAnswer::Done => Ok(Vec::new()),
            ExchangeAnswer::Missing(hashes) => Ok(hashes.into_iter().map(str::to_owned).collect()),
            other => Err(way.failed(&other)),
        })?
    }
}

impl CommandHost for SshTransport {
    fn run(&mut self, call: &CommandRequest) -> Result<CommandOutput, Unreachable> {
        // The messages are read.
        let mut argv: Vec<String> = ["env", "LC_ALL=C"].map(Into::into).into();
        let variables = call.env.iter();
        argv.extend(variables.map(|(name, value)| format!("{name}={value}")));
        argv.extend(call.argv.iter().cloned());
        let reply = self.call(&argv, &call.stdin, COMMAND)?;
        Ok(CommandOutput {
            code: reply.code,
            stdout: String::from_utf8_lossy(&reply.stdout).into_owned(),
            stderr: reply.stderr,
        })
    }

    fn executable(&mut self) -> Result<PathBuf, Unreachable> {
        Ok(self.prepare()?)
    }
}

impl Transport for SshTransport {
    fn directory(&self, job: &Job) -> PathBuf {
        let attempts = self.place.work_dir.join("attempts");
        attempts.join(job.token.to_string())
    }

    fn put(&mut self, job: &Job, script: &str) -> Result<(), PutError> {
        let mut job = job.clone();
        let there = self.executable()?.display().to_string();
        for word in &mut job.argv {
            if Path::new(word) == self.executable {
                word.clone_from(&there);
            }
        }
        // A path relative to the run directory here is relative to the folder there.
        for (_, value) in job.env.iter_mut().filter(|(name, _)| name == SCRATCH) {
            if let Ok(below) = Path::new(&*value).strip_prefix(RUN_DIR) {
                *value = Path::new("../..").join(below).display().to_string();
            }
        }
        let mut files = std::mem::take(&mut job.files);
        files.push((
            job_wrapper::JOB_SPEC_FILE.into(),
            job_wrapper::job_spec(&job)?,
        ));
        files.push((job_wrapper::JOB_SCRIPT.into(), script.into()));
        let links = job.links.iter().map(|(path, name)| {
            let content = fs::read(path)?;
            Ok((sha256(&content), content, &**name))
        });
        let links: Vec<_> = links.collect::<io::Result<_>>()?;
        let token = job.token.to_string();
        let missing = self.put_attempt(&token, &files, &links)?;
        if missing.is_empty() {
            return Ok(());
        }
        let lacking = links.iter().filter(|(hash, ..)| missing.contains(hash));
        let lacking = lacking.map(|(name, content, _)| MessageFile { name, content });
        self.ask(
            ExchangeRequest::Keep(lacking.collect()),
            |way, answer| match answer {
                ExchangeAnswer::Done => Ok(()),
                other => Err(way.failed(&other)),
            },
        )??;
        match self.put_attempt(&token, &files, &links)?.is_empty() {
            true => Ok(()),
            false => Err(Unreachable("files that were put are gone".into()).into()),
        }
    }

    fn get(&mut self, job: &Job) -> Result<(), Unreachable> {
        let given = job.files.iter().map(|(name, _)| &**name);
        let links = job.links.iter().map(|(_, name)| &**name);
        let except = given
            .chain(links)
            .chain([job_wrapper::JOB_SPEC_FILE, job_wrapper::JOB_SCRIPT]);
        let token = job.token.to_string();
        let request = ExchangeRequest::Get {
            token: &token,
            except: except.collect(),
        };
        self.ask(request, |way, answer| match answer {
            // Never put, or brought back before.
            ExchangeAnswer::NoAttempt => Ok(()),
            ExchangeAnswer::Files(files) => take_in(job, &files)
                .map_err(|e| Unreachable(format!("could not write what was fetched: {e}"))),
            other => Err(Unreachable(way.failed(&other).to_string())),
        })?
    }

    fn submission_in_progress(&mut self, program: &str, token: &str) -> Result<bool, Unreachable> {
        let there = self.executable()?.display().to_string();
        let argv = [&*there, "remote", "find", program, token];
        match self.run(&CommandRequest::new(argv))?.code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(Unreachable(format!(
                "whether `{program}` is at work is not told"
            ))),
        }
    }

    fn forget(&mut self, token: &Token) {
        self.done.push(token.clone());
    }

    fn sweep(&mut self, run: &str, keep: &[Token]) -> Result<(), Unreachable> {
        let keep: Vec<String> = keep.iter().map(Token::to_string).collect();
        let keep = keep.iter().map(String::as_str).collect();
        self.ask(ExchangeRequest::Sweep { run, keep }, |_, _| ())
    }
}

impl From<ConnectError> for Unreachable {
    fn from(trouble: ConnectError) -> Self {
        Self(trouble.to_string())
    }
}

enum ProgramProbe {
    At(PathBuf),
    /// Version that it prints.
    Other(String),
    Absent(String),
    /// It exists but cannot be executed: its mode, or a file system mounted with `noexec`.
    NotExecutable,
}

/// Makes `job.dir` of the fetched files, whole or not at all, also in a power cut.
fn take_in(job: &Job, fetched: &[MessageFile]) -> io::Result<()> {
    let parent = job.dir.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let attempt = job.token.attempt;
    let (new, old) = (
        parent.join(format!(".new-{attempt}")),
        parent.join(format!(".old-{attempt}")),
    );
    for rest in [&new, &old] {
        if rest.exists() {
            fs::remove_dir_all(rest)?;
        }
    }
    fs::create_dir_all(&new)?;
    let given = job
        .files
        .iter()
        .map(|(name, content)| MessageFile { name, content });
    for MessageFile { name, content } in given.chain(fetched.iter().map(|f| MessageFile { ..*f })) {
        let path = new.join(plain(name)?);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&path, content)?;
        OpenFile::open(&path)?.sync_all()?;
    }
    OpenFile::open(&new)?.sync_all()?;
    if job.dir.exists() {
        fs::rename(&job.dir, &old)?;
    }
    fs::rename(&new, &job.dir)?;
    OpenFile::open(parent)?.sync_all()?;
    if old.exists() {
        fs::remove_dir_all(old)?;
    }
    Ok(())
}
