//! Another host: a real sshd in its own namespaces, behind a virtual cable that can be cut.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The name by which the user's ssh configuration knows it.
pub const ALIAS: &str = "there";

const BASH: &str = "/bin/bash";

/// Another host: its own network, processes and name, the same files. Everything of it dies with
/// this value.
pub struct Sshd {
    dir: TempDir,
    /// This side of the cable; None where the network is this host's.
    cable: Option<String>,
    /// `unshare`, which takes the whole of the other host with it.
    host: Child,
}

impl Sshd {
    /// A host behind a cable that answers under `ALIAS` to programs that run with `path()` as their
    /// PATH.
    #[allow(dead_code)]
    pub fn start() -> Self {
        let (cable, ours, theirs) = cable();
        let begin = format!(
            "hostname {ALIAS}\nip link set lo up\n\
             until ip link show {cable}p >/dev/null 2>&1; do sleep 0.02; done\n\
             ip addr add {theirs}/30 dev {cable}p && ip link set {cable}p up"
        );
        let mut sshd = Self::serve(BASH, &["--net", "--uts"], &begin, &theirs, 22, "", &[]);
        sshd.plug_in(&cable, &ours);
        sshd.cable = Some(cable);
        sshd.wait();
        sshd
    }

    /// A host in this host's network, with variables set for what is run there: `NAME=value`.
    #[allow(dead_code)]
    pub fn beside(variables: &str) -> Self {
        Self::local(BASH, &[], ":", variables)
    }

    /// A host in this host's network whose user has this login shell and these files in the home
    /// directory. `begin` is a line of shell that is run before: file systems that it mounts are
    /// that host's alone. DIR in it is `dir()`.
    #[allow(dead_code)]
    pub fn of_user(shell: &str, files: &[(&str, &str)], begin: &str) -> Self {
        assert!(
            Path::new(shell).exists(),
            "{shell}: scripts/test installs it"
        );
        Self::local(shell, files, begin, "")
    }

    #[allow(dead_code)]
    fn local(shell: &str, files: &[(&str, &str)], begin: &str, variables: &str) -> Self {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = socket.local_addr().expect("bound").port();
        drop(socket);
        let sshd = Self::serve(shell, &[], begin, "127.0.0.1", port, variables, files);
        sshd.wait();
        sshd
    }

    /// The user's home directory there: not that of this host, whose shell may read files that wait
    /// for locks (pyenv's, for one).
    #[allow(dead_code)]
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// More of the user's configuration of ssh; IT in it stands for what leads to this host.
    #[allow(dead_code)]
    pub fn configure_more(&self, text: &str) {
        let path = self.dir.path().join("ssh_config");
        let config = fs::read_to_string(&path).expect("a file");
        let (_, it) = config.split_once('\n').expect("the name, and the rest");
        let text = text.replace("IT", it.trim_end());
        // ssh uses the first of two values of a key.
        fs::write(path, format!("{text}\n{config}")).expect("a file");
    }

    fn serve(
        shell: &str,
        own: &[&str],
        begin: &str,
        address: &str,
        port: u16,
        variables: &str,
        files: &[(&str, &str)],
    ) -> Self {
        let dir = TempDir::new().expect("a directory");
        fs::create_dir_all("/run/sshd").expect("root: these tests make namespaces");
        fs::create_dir(dir.path().join("home")).expect("a directory");
        for (name, text) in files {
            let path = dir.path().join("home").join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        for name in ["host_key", "user_key"] {
            keygen(&dir.path().join(name));
        }
        let shown = dir.path().display();
        let set_env = match variables {
            "" => String::new(),
            variables => format!("-o 'SetEnv {variables}'"),
        };
        let begin = format!(
            "{{ grep -v '^root:' /etc/passwd; echo 'root:x:0:0:root:DIR/home:{shell}'; }} >DIR/passwd\n\
             mount --bind DIR/passwd /etc/passwd\n{begin}"
        )
        .replace("DIR", &shown.to_string());
        let script = format!(
            "{begin}\nexec /usr/sbin/sshd -D -e -f /dev/null -h '{shown}/host_key' -o 'PidFile none' -o 'UsePAM no' \
             -o 'AuthorizedKeysFile {shown}/user_key.pub' -o 'StrictModes no' -o 'PermitRootLogin prohibit-password' \
             -o 'MaxStartups 100' -o 'ListenAddress {address}:{port}' {set_env}\n"
        );
        let file = dir.path().join("host.sh");
        fs::write(&file, script).expect("a file");
        let host = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--pid"])
            .args(own)
            .args(["--mount-proc", "--kill-child", "--fork", "sh"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.path().join("sshd.log")).expect("a file"))
            .spawn()
            .expect("setpriv and unshare are there");
        let sshd = Self {
            dir,
            cable: None,
            host,
        };
        sshd.configure(address, port);
        let known_as = match port {
            22 => address.to_owned(),
            port => format!("[{address}]:{port}"),
        };
        sshd.trust("host_key", &known_as);
        sshd
    }

    fn wait(&self) {
        // The login shell may refuse it.
        let answers = || {
            self.run("true")
                .status
                .code()
                .is_some_and(|code| code != 255)
        };
        wait_for("sshd", answers, &|| self.log());
    }

    /// A PATH on which `ssh` reads this host's configuration: OpenSSH takes a user's from the home
    /// directory that the password file names, whatever HOME says.
    pub fn path(&self) -> String {
        let own = self.dir.path().join("bin");
        let path = std::env::var("PATH").unwrap_or_default();
        format!("{}:{path}:/usr/sbin:/sbin", own.display())
    }

    /// A directory of both hosts.
    #[allow(dead_code)]
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
        ip(&["link", "set", self.cable.as_ref().expect("a cable"), "down"]);
    }

    #[allow(dead_code)]
    pub fn mend(&self) {
        ip(&["link", "set", self.cable.as_ref().expect("a cable"), "up"]);
    }

    /// Has the user know another key for this host than it has.
    #[allow(dead_code)]
    pub fn forge_known_key(&self) {
        keygen(&self.dir.path().join("other_key"));
        let known = fs::read_to_string(self.dir.path().join("known_hosts")).expect("a file");
        let address = known.split(' ').next().expect("an address");
        self.trust("other_key", address);
    }

    /// Log of sshd.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("sshd.log")).unwrap_or_default()
    }

    #[allow(dead_code)]
    fn plug_in(&self, cable: &str, address: &str) {
        let id = self.host.id();
        let own = fs::read_link("/proc/self/ns/net").expect("a network namespace");
        let theirs = || fs::read_link(format!("/proc/{id}/ns/net"));
        let why = || {
            let log = self.log();
            format!("{log}\nthese tests need network namespaces: run them as root")
        };
        wait_for(
            "network namespace",
            || theirs().is_ok_and(|ns| ns != own),
            &why,
        );
        let peer = format!("{cable}p");
        ip(&["link", "add", cable, "type", "veth", "peer", "name", &peer]);
        ip(&["link", "set", &peer, "netns", &id.to_string()]);
        ip(&["addr", "add", address, "dev", cable]);
        ip(&["link", "set", cable, "up"]);
    }

    fn configure(&self, address: &str, port: u16) {
        let dir = self.dir.path();
        let shown = dir.display();
        let config = format!(
            "Host {ALIAS}\n  HostName {address}\n  Port {port}\n  User root\n  IdentityFile {shown}/user_key\n  \
             IdentitiesOnly yes\n  UserKnownHostsFile {shown}/known_hosts\n  GlobalKnownHostsFile /dev/null\n  \
             StrictHostKeyChecking yes\n  ControlPath {shown}/c-%C\n"
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

    /// Logs in as a user does by hand, with a connection that others may share, and removes the
    /// key.
    #[allow(dead_code)]
    pub fn log_in_by_hand(&self) {
        let mut command = Command::new("ssh");
        command
            .args(["-M", "-N", "-f", ALIAS])
            .env("PATH", self.path());
        command.stdin(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().expect("OpenSSH's client").success());
        fs::remove_file(self.dir.path().join("user_key")).expect("a key");
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

/// Name of a cable of its own, and the addresses of its ends: networks of four from those that RFC
/// 6598 keeps free.
#[allow(dead_code)]
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
