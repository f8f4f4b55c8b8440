//! A Slurm cluster of four nodes on this machine, started and ended by the test itself.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A private cluster. Its files are in one directory, and its processes end when it is dropped.
pub struct Cluster {
    dir: TempDir,
    ports: Vec<u16>,
    munge: Child,
    controller: Option<Child>,
    nodes: Vec<Option<Child>>,
}

const NODES: usize = 4;

impl Cluster {
    /// A cluster whose four nodes, `n1` to `n4` of four cores each, are idle.
    #[allow(dead_code)]
    pub fn start() -> Self {
        Self::with("", "")
    }

    /// The same with further lines in its `slurm.conf`.
    #[allow(dead_code)]
    pub fn start_with(settings: &str) -> Self {
        Self::with(settings, "")
    }

    /// The same whose nodes have 4000 MiB, which jobs share, and four GPUs: device files without a
    /// device.
    #[allow(dead_code)]
    pub fn with_gpus() -> Self {
        Self::with(
            "SelectTypeParameters=CR_Core_Memory\nGresTypes=gpu\n",
            " RealMemory=4000 Gres=gpu:4 Feature=a100",
        )
    }

    /// A cluster with more lines in its configuration, and more of each node.
    fn with(lines: &str, of_node: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for part in ["state", "spool"] {
            fs::create_dir(dir.path().join(part)).expect("a directory");
        }
        let key = dir.path().join("munge.key");
        let random = fs::File::open("/dev/urandom").and_then(|mut file| {
            let mut bytes = [0u8; 1024];
            std::io::Read::read_exact(&mut file, &mut bytes).map(|()| bytes)
        });
        fs::write(&key, random.expect("random bytes")).expect("a key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).expect("a private key");
        let in_dir =
            |option: &str, name: &str| format!("--{option}={}", dir.path().join(name).display());
        let munge = daemon("munged", dir.path())
            .args(["--foreground", "--force"])
            .args([
                in_dir("key-file", "munge.key"),
                in_dir("socket", "munge.socket"),
            ])
            .args([
                in_dir("pid-file", "munged.pid"),
                in_dir("seed-file", "munged.seed"),
            ])
            .spawn()
            .expect("munged starts: scripts/test installs it");
        let mut cluster = Self {
            ports: free_ports(NODES + 1),
            dir,
            munge,
            controller: None,
            nodes: (0..NODES).map(|_| None).collect(),
        };
        let configuration = cluster.configuration(of_node);
        // Slurm uses the last of two lines with one key.
        fs::write(cluster.conf(), configuration + lines).expect("slurm.conf");
        if lines.contains("GresTypes") {
            cluster.make_gpus();
        }
        wait_for("munged", || {
            cluster.dir.path().join("munge.socket").exists()
        });
        cluster.start_controller();
        for node in 1..=NODES {
            cluster.start_node(node);
        }
        wait_for("four idle nodes", || cluster.idle() == NODES);
        cluster
    }

    /// Path of its `slurm.conf`.
    pub fn conf(&self) -> PathBuf {
        self.dir.path().join("slurm.conf")
    }

    /// A directory that its nodes see.
    #[allow(dead_code)]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A client of the cluster.
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // Login shells of jobs do not read the profile of the user who runs the tests.
        command
            .env("SLURM_CONF", self.conf())
            .env("HOME", self.dir.path());
        command
    }

    /// Output of a client, which must succeed.
    pub fn ask(&self, argv: &[&str]) -> String {
        let output = self.client(argv[0]).args(&argv[1..]).output();
        let output = output.expect("Slurm's clients are installed by scripts/test");
        assert!(output.status.success(), "{argv:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The jobs that the controller holds: id, name and state of each. An element of an array has
    /// the name that its job would have alone.
    #[allow(dead_code)]
    pub fn jobs(&self) -> Vec<(String, String, String)> {
        let list = self.ask(&[
            "squeue",
            "--noheader",
            "--array",
            "--states=all",
            "--format=%i|%j|%T|%V|%r|%L",
        ]);
        let jobs = list.lines().map(|line| {
            let job = moldflow::scheduler::slurm::parse_status(line).expect("six fields");
            let state = line.split('|').nth(2).expect("six fields").trim();
            (job.id, job.name, state.to_owned())
        });
        // An array of which waiting elements were cancelled is no job.
        jobs.filter(|(_, name, _)| !name.contains('+')).collect()
    }

    /// Ids of the jobs that wait or run.
    #[allow(dead_code)]
    pub fn live(&self) -> Vec<String> {
        let ended = [
            "COMPLETED",
            "COMPLETING",
            "CANCELLED",
            "FAILED",
            "TIMEOUT",
            "NODE_FAIL",
        ];
        let live = self.jobs().into_iter();
        let live = live.filter(|(_, _, state)| !ended.contains(&state.as_str()));
        live.map(|(id, ..)| id).collect()
    }

    /// A folder of clients that note each command before they carry it out, for the beginning of
    /// PATH. `before` and `after` are lines of shell around `sbatch`.
    #[allow(dead_code)]
    pub fn noted_clients(&self, before: &str, after: &str) -> PathBuf {
        let folder = self.dir.path().join("clients");
        fs::create_dir(&folder).expect("a directory");
        let log = self.dir.path().join("commands");
        for name in ["sbatch", "squeue", "scancel", "scontrol"] {
            let (before, after) = match name {
                "sbatch" => (before, after),
                _ => ("", ""),
            };
            let script = format!(
                "#!/bin/sh\necho {name} \"$@\" >>{}\n{before}\n/usr/bin/{name} \"$@\"\ncode=$?\n{after}\nexit $code\n",
                log.display()
            );
            let path = folder.join(name);
            fs::write(&path, script).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("executable");
        }
        folder
    }

    /// Number of starts of a client, if it is one that notes them.
    #[allow(dead_code)]
    pub fn commands(&self, name: &str) -> usize {
        let text = fs::read_to_string(self.dir.path().join("commands")).unwrap_or_default();
        let named = |line: &&str| line.split(' ').next() == Some(name);
        text.lines().filter(named).count()
    }

    pub fn start_controller(&mut self) {
        let controller = daemon("slurmctld", self.dir.path()).arg("-D").spawn();
        self.controller = Some(controller.expect("slurmctld starts"));
    }

    /// Stops the controller, which saves its state.
    #[allow(dead_code)]
    pub fn stop_controller(&mut self) {
        if let Some(mut controller) = self.controller.take() {
            terminate(controller.id().cast_signed());
            let _ = controller.wait();
        }
    }

    /// Kills the controller and takes its state away: it will know of no job when it is started
    /// again.
    #[allow(dead_code)]
    pub fn kill_controller(&mut self) {
        end(self.controller.take());
        let state = self.dir.path().join("state");
        for entry in fs::read_dir(state).expect("its state") {
            let _ = fs::remove_file(entry.expect("an entry").path());
        }
    }

    /// Waits until the controller answers.
    #[allow(dead_code)]
    pub fn wait_for_controller(&self) {
        wait_for("the controller", || {
            let ping = self.client("scontrol").arg("ping").output();
            ping.is_ok_and(|ping| String::from_utf8_lossy(&ping.stdout).contains("is UP"))
        });
    }

    pub fn start_node(&mut self, node: usize) {
        let name = format!("n{node}");
        let child = daemon("slurmd", self.dir.path())
            .args(["-D", "-N", &name])
            .spawn();
        self.nodes[node - 1] = Some(child.expect("slurmd starts"));
    }

    /// Kills the node whose name is in `file`.
    #[allow(dead_code)]
    pub fn kill_node_named_in(&mut self, file: &Path) {
        let name = fs::read_to_string(file).expect("a node");
        let number = name.trim().trim_start_matches('n').parse();
        self.kill_node(number.expect("a number"));
    }

    /// Kills the daemon and all jobs of a node, as a power cut does.
    #[allow(dead_code)]
    pub fn kill_node(&mut self, node: usize) {
        end(self.nodes[node - 1].take());
        let name = format!("n{node}");
        kill_all(&self.conf(), |pid| {
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments).into_owned();
            // The daemon of a step is named after its step, `slurmstepd: [12.batch]`: its spool
            // directory tells the node.
            let variable = format!("SLURMD_NODENAME={name}");
            has_variable(pid, &variable)
                || arguments.starts_with("slurmstepd") && holds_spool(pid, &name)
        });
    }

    fn idle(&self) -> usize {
        let states = self.client("sinfo").args(["-h", "-N", "-o", "%T"]).output();
        let states = states.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&states)
            .lines()
            .filter(|state| *state == "idle")
            .count()
    }

    /// Writes down which files are the GPUs of a node.
    fn make_gpus(&self) {
        for gpu in ["0", "1", "2", "3"] {
            // As the files of NVIDIA's driver; nothing opens them.
            let mut mknod = Command::new("mknod");
            mknod
                .arg(self.dir.path().join(format!("gpu{gpu}")))
                .args(["c", "195", gpu]);
            assert!(
                mknod.status().expect("mknod is there").success(),
                "run it as root"
            );
        }
        let files = self.dir.path().join("gpu[0-3]");
        let gres = format!("Name=gpu File={}\n", files.display());
        fs::write(self.dir.path().join("gres.conf"), gres).expect("gres.conf");
    }

    fn configuration(&self, of_node: &str) -> String {
        let dir = self.dir.path().display();
        let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("a host name");
        let host = host.trim();
        let controller = self.ports[0];
        let mut text = format!(
            "ClusterName=moldflow\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={controller}\n\
             AuthType=auth/munge\nCredType=cred/munge\nAuthInfo=socket={dir}/munge.socket\n\
             SlurmUser=root\nSlurmdUser=root\nStateSaveLocation={dir}/state\nSlurmdSpoolDir={dir}/spool/%n\n\
             SlurmctldPidFile={dir}/slurmctld.pid\nSlurmdPidFile={dir}/slurmd.%n.pid\n\
             SlurmctldLogFile={dir}/slurmctld.log\nSlurmdLogFile={dir}/slurmd.%n.log\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSwitchType=switch/none\nMpiDefault=none\n\
             JobAcctGatherType=jobacct_gather/none\nAccountingStorageType=accounting_storage/none\n\
             JobCompType=jobcomp/filetxt\nJobCompLoc={dir}/completed\nSlurmdParameters=config_overrides\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nReturnToService=2\nEnforcePartLimits=ALL\n\
             MinJobAge=60\nSlurmdTimeout=10\nKillWait=3\nMessageTimeout=5\n\
             SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1\n\
             PartitionName=short Nodes=ALL Default=YES MaxTime=60 State=UP\n"
        );
        for (node, port) in (1..).zip(&self.ports[1..]) {
            text.push_str(&format!(
                "NodeName=n{node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4{of_node} State=UNKNOWN\n"
            ));
        }
        text
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("slurmctld.log"));
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(30).collect();
            eprintln!(
                "end of slurmctld.log, last line first:\n{}",
                lines.join("\n")
            );
        }
        end(self.controller.take());
        for node in &mut self.nodes {
            end(node.take());
        }
        kill_all(&self.conf(), |_| true);
        let _ = self.munge.kill();
        let _ = self.munge.wait();
    }
}

/// A daemon that dies with this thread, so that none is left when a test is killed.
fn daemon(program: &str, dir: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", program])
        .env("SLURM_CONF", dir.join("slurm.conf"))
        .env(
            "PATH",
            format!(
                "{}:/usr/sbin:/sbin",
                std::env::var("PATH").unwrap_or_default()
            ),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[allow(dead_code)]
fn terminate(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process id");
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Kills the processes that carry the name of this `slurm.conf`, and no other.
fn kill_all(conf: &Path, which: impl Fn(i32) -> bool) {
    let variable = format!("SLURM_CONF={}", conf.display());
    let own = std::process::id().cast_signed();
    for _ in 0..50 {
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let pids: Vec<i32> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                *pid != own && !is_zombie(*pid) && has_variable(*pid, &variable) && which(*pid)
            })
            .collect();
        if pids.is_empty() {
            return;
        }
        for pid in pids {
            let pid = rustix::process::Pid::from_raw(pid).expect("a process id");
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_zombie(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| environ.is_empty())
}

fn has_variable(pid: i32, variable: &str) -> bool {
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environ
        .split(|byte| *byte == 0)
        .any(|v| v == variable.as_bytes())
}

fn holds_spool(pid: i32, node: &str) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let mut paths = files.filter_map(|file| fs::read_link(file.path()).ok());
    let part = format!("/spool/{node}/");
    let logs = format!("slurmd.{node}.log");
    paths.any(|path| {
        let path = path.to_string_lossy().into_owned();
        path.contains(&part) || path.ends_with(&logs)
    })
}

fn free_ports(count: usize) -> Vec<u16> {
    // All are held until each is known, so that they differ.
    let held: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"))
        .collect();
    held.iter()
        .map(|listener| listener.local_addr().expect("bound").port())
        .collect()
}

/// Waits until something holds, and fails when it does not within half a minute.
pub fn wait_for(what: &str, holds: impl FnMut() -> bool) {
    wait_long(what, Duration::from_secs(30), holds);
}

/// The same for as long as it may take.
pub fn wait_long(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < limit, "no {what} after {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
