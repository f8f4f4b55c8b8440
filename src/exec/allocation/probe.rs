//! Probe of a node: the launcher that starts tasks runs `echo` on it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

use crate::exec::launch::{end_group, spawn, wait};
use crate::exec::{HOSTS, LauncherError};
use crate::task::Launch;

/// Time limit of the launcher that runs `echo`.
const LIMIT: Duration = Duration::from_secs(30);
/// Pauses between tries: the scheduler may be busy for a moment, or not know yet that what
/// failed has ended.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];
/// Not an exit status: a launcher that lost the node it was to start on may end with 0 all the
/// same.
const WORD: &str = "moldflow-answers";

/// Launcher of a process on one node of the job.
#[derive(Clone, Debug)]
pub struct NodeProbe {
    /// Launcher of one rank.
    pub launch: Launch,
    /// Environment of the launcher besides the allow-list.
    pub env: Vec<(String, String)>,
}

impl NodeProbe {
    /// Returns the words that start a program on a node, which the file `HOSTS` in `dir` names.
    ///
    /// # Errors
    ///
    /// Fails if the template does not render.
    pub fn argv(&self, node: &str, dir: &Path) -> Result<Vec<String>, LauncherError> {
        let mut launch = self.launch.clone();
        launch.shape.hosts = vec![node.to_owned()];
        launch.shape.hostfile = Some(dir.join(HOSTS));
        launch.argv()
    }

    /// Returns true if a node answers in one of three tries. `dir`: directory for the probe's
    /// files.
    pub fn answers(&self, node: &str, dir: &Path) -> bool {
        let mut pauses = PAUSES.iter();
        loop {
            match self.try_once(node, dir) {
                Ok(true) => return true,
                Ok(false) => tracing::info!("node {node} does not answer"),
                Err(e) => tracing::warn!("could not ask node {node} for a sign of life: {e}"),
            }
            match pauses.next() {
                Some(pause) => std::thread::sleep(*pause),
                None => return false,
            }
        }
    }

    fn try_once(&self, node: &str, dir: &Path) -> io::Result<bool> {
        let dir = empty(dir)?;
        fs::write(dir.join(HOSTS), format!("{node}\n"))?;
        let mut argv = self.argv(node, &dir).map_err(io::Error::other)?;
        argv.extend(["echo", WORD].map(str::to_owned));
        let inherited = crate::exec::ProcessEnvironment::inherited();
        let mut child = spawn(&argv, &dir, |command| {
            let env = inherited.pairs().iter().chain(&self.env);
            command.env_clear().envs(env.map(|(k, v)| (k, v)));
        })?;
        if let Some(leader) = Pid::from_raw(child.id().cast_signed())
            && !wait(leader, LIMIT)
        {
            end_group(leader);
        }
        child.wait()?;
        let said = fs::read_to_string(dir.join("stdout"))?;
        Ok(said.lines().any(|line| line.trim() == WORD))
    }
}

fn empty(dir: &Path) -> io::Result<PathBuf> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => fs::create_dir_all(dir)?,
    }
    dir.canonicalize()
}
