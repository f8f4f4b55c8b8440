//! What tests share: another host, a real sshd in namespaces of its own behind a virtual cable that can be cut.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The name by which the user's ssh configuration knows it.
pub const ALIAS: &str = "there";

/// Another host: its own network, processes and name, the same files. Everything of it dies with this value.
pub struct Sshd {
    dir: TempDir,
    /// This side of the cable.
    cable: String,
    /// `unshare`, which takes the whole of the other host with it.
    host: Child,
}

impl Sshd {
    /// A host that answers under `ALIAS` to programs that run with `path()` as their PATH.
    pub fn start() -> Self {
        Self::with_variables("")
    }

    /// The same, with variables set for what is run there: `NAME=value NAME=value`.
    pub fn with_variables(variables: &str) -> Self {
        let dir = TempDir::new().expect("a directory");
        fs::create_dir_all("/run/sshd").expect("root: these tests make namespaces");
        for name in ["host_key", "user_key"] {
            keygen(&dir.path().join(name));
        }
        let (cable, ours, theirs) = cable();
        let host = dir.path().join("host.sh");
        fs::write(&host, script(dir.path(), &cable, &theirs, variables)).expect("a file");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--net", "--uts", "--pid"])
            .args(["--mount-proc", "--kill-child", "--fork", "sh"])
            .arg(host)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.path().join("sshd.log")).expect("a file"))
            .spawn()
            .expect("setpriv and unshare are there");
        let sshd = Self {
            dir,
            cable,
            host: child,
        };
        sshd.plug_in(&ours);
        sshd.configure(&theirs);
        sshd.trust("host_key", &theirs);
        wait_for("sshd", || sshd.run("true").status.success(), &|| sshd.log());
        sshd
    }

    /// A PATH on which `ssh` reads this host's configuration: OpenSSH takes a user's from the home directory that
    /// the password file names, whatever HOME says.
    pub fn path(&self) -> String {
        let own = self.dir.path().join("bin");
        let path = std::env::var("PATH").unwrap_or_default();
        format!("{}:{path}:/usr/sbin:/sbin", own.display())
    }

    /// A directory of both hosts.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Folder for `work_dir`, not made yet.
    pub fn work_dir(&self) -> PathBuf {
        self.dir.path().join("it's work")
    }

    /// Runs a line of shell there.
    pub fn run(&self, line: &str) -> Output {
        let mut command = Command::new("ssh");
        command.args(["-o", "ControlPath=none", "-o", "BatchMode=yes"]);
        command.args(["-o", "ConnectTimeout=5", ALIAS, line]);
        command.env("PATH", self.path()).stdin(Stdio::null());
        command.output().expect("OpenSSH's client is installed")
    }

    /// Processes there whose environment names this token, or one that begins so.
    #[allow(dead_code)]
    pub fn processes(&self, token: &str) -> usize {
        let line = format!("grep -lz '^MOLDFLOW_TOKEN={token}' /proc/[0-9]*/environ 2>/dev/null");
        let output = self.run(&line);
        String::from_utf8_lossy(&output.stdout).lines().count()
    }

    #[allow(dead_code)]
    pub fn cut(&self) {
        ip(&["link", "set", &self.cable, "down"]);
    }

    #[allow(dead_code)]
    pub fn mend(&self) {
        ip(&["link", "set", &self.cable, "up"]);
    }

    /// Has the user know another key for this host than it has.
    #[allow(dead_code)]
    pub fn forge_known_key(&self) {
        keygen(&self.dir.path().join("other_key"));
        let known = fs::read_to_string(self.dir.path().join("known_hosts")).expect("a file");
        let address = known.split(' ').next().expect("an address");
        self.trust("other_key", address);
    }

    /// What sshd said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("sshd.log")).unwrap_or_default()
    }

    fn plug_in(&self, address: &str) {
        let id = self.host.id();
        let own = fs::read_link("/proc/self/ns/net").expect("a network namespace");
        let theirs = || fs::read_link(format!("/proc/{id}/ns/net"));
        let why = || {
            format!(
                "{}\nthese tests need network namespaces: run them as root",
                self.log()
            )
        };
        wait_for(
            "network namespace",
            || theirs().is_ok_and(|ns| ns != own),
            &why,
        );
        let peer = format!("{}p", self.cable);
        ip(&[
            "link",
            "add",
            &self.cable,
            "type",
            "veth",
            "peer",
            "name",
            &peer,
        ]);
        ip(&["link", "set", &peer, "netns", &id.to_string()]);
        ip(&["addr", "add", address, "dev", &self.cable]);
        ip(&["link", "set", &self.cable, "up"]);
    }

    fn configure(&self, address: &str) {
        let dir = self.dir.path();
        let shown = dir.display();
        let config = format!(
            "Host {ALIAS}\n  HostName {address}\n  User root\n  IdentityFile {shown}/user_key\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {shown}/known_hosts\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n"
        );
        fs::write(dir.join("ssh_config"), config).expect("a file");
        fs::create_dir(dir.join("bin")).expect("a directory");
        let ssh = dir.join("bin/ssh");
        let wrapper = format!("#!/bin/sh\nexec /usr/bin/ssh -F '{shown}/ssh_config' \"$@\"\n");
        fs::write(&ssh, wrapper).expect("a file");
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o700)).expect("executable");
    }

    fn trust(&self, key: &str, address: &str) {
        let key = fs::read_to_string(self.dir.path().join(format!("{key}.pub"))).expect("a key");
        let known = self.dir.path().join("known_hosts");
        fs::write(known, format!("{address} {key}")).expect("a file");
    }

    /// Has this program known there by the path that a profile would name.
    #[allow(dead_code)]
    pub fn install(&self, program: &Path) -> PathBuf {
        let installed = self.dir.path().join("installed-moldflow");
        symlink(program, &installed).expect("a link");
        installed
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("end of sshd.log, last line first:\n{}", lines.join("\n"));
        }
        let _ = self.host.kill();
        let _ = self.host.wait();
    }
}

/// What the other host does: waits for its end of the cable, and serves.
fn script(dir: &Path, cable: &str, address: &str, variables: &str) -> String {
    let dir = dir.display();
    let set_env = match variables {
        "" => String::new(),
        variables => format!("-o 'SetEnv {variables}'"),
    };
    format!(
        "hostname {ALIAS}\nip link set lo up\n\
         until ip link show {cable}p >/dev/null 2>&1; do sleep 0.02; done\n\
         ip addr add {address}/30 dev {cable}p && ip link set {cable}p up\n\
         exec /usr/sbin/sshd -D -e -f /dev/null -h '{dir}/host_key' -o 'AuthorizedKeysFile {dir}/user_key.pub' \
         -o 'PidFile none' -o 'UsePAM no' -o 'StrictModes no' -o 'PermitRootLogin prohibit-password' \
         -o 'MaxStartups 100' -o 'ListenAddress {address}' {set_env}\n"
    )
}

/// Name of a cable of its own, and the addresses of its ends: networks of four from those that RFC 6598 keeps free.
fn cable() -> (String, String, String) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = (std::process::id() * 8 + NEXT.fetch_add(1, Ordering::SeqCst) % 8) % (1 << 20);
    let first = (100 << 24 | 64 << 16) + number * 4;
    let address = |n: u32| std::net::Ipv4Addr::from(first + n).to_string();
    (
        format!("mf{number:x}"),
        format!("{}/30", address(1)),
        address(2),
    )
}

fn keygen(path: &Path) {
    let mut command = Command::new("ssh-keygen");
    command
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path);
    assert!(command.status().expect("ssh-keygen is there").success());
}

fn ip(arguments: &[&str]) {
    let mut command = Command::new("ip");
    command
        .args(arguments)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
    let output = command
        .output()
        .expect("iproute2 is installed by scripts/test");
    assert!(
        output.status.success(),
        "ip {arguments:?}: {output:?}; these tests need root"
    );
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool, why: &dyn Fn() -> String) {
    let begin = Instant::now();
    while !holds() {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "no {what}: {}",
            why()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
