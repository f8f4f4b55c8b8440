//! The run directory: made, locked, and read back.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::failure::Failure;
use crate::plan::{self, Plan};
use crate::spec::campaign::{Loaded, MethodKind, Overrides};
use crate::store;

pub const CAMPAIGN: &str = "campaign.yml";
pub const SITE: &str = "site.yml";
pub const LOG: &str = "runtime.log";
const LOCK: &str = "lock";

/// Makes the directory of a new run, with the resolved campaign and site in it.
///
/// Without `dir` it is `runs_dir/<time>-<hash of campaign and site>`.
pub fn create(loaded: &Loaded, dir: Option<PathBuf>, runs_dir: &Path) -> Result<PathBuf, Failure> {
    let dir = dir.unwrap_or_else(|| runs_dir.join(format!("{}-{}", stamp(), &loaded.hash()[..6])));
    if dir.join(store::FILE).exists() {
        let hint = format!("`moldflow resume {}` goes on with it", dir.display());
        return Err(Failure::with_hint(
            format!("there is a run in `{}` already", dir.display()),
            hint,
        ));
    }
    let made = || -> io::Result<PathBuf> {
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
            made => made?,
        }
        let dir = dir.canonicalize()?;
        write(&dir, CAMPAIGN, &to_yaml(&loaded.campaign)?)?;
        write(&dir, SITE, &to_yaml(&loaded.site)?)?;
        write(
            &dir,
            "run_params.json",
            &pretty(&serde_json::to_value(&loaded.params)?),
        )?;
        write(&dir, "qc_spec.json", &pretty(&qc_spec(loaded)))?;
        write(&dir, "host_info.json", &pretty(&host_info()))?;
        Ok(dir)
    };
    made().map_err(|e| {
        Failure::new(format!(
            "could not make the run directory `{}`: {e}",
            dir.display()
        ))
    })
}

/// The directory of an existing run.
pub fn existing(dir: &Path) -> Result<PathBuf, Failure> {
    match dir.canonicalize() {
        Ok(dir) if dir.join(store::FILE).is_file() => Ok(dir),
        _ => {
            let hint = "a run directory is what `moldflow run` names at its start: `runs/...`";
            Err(Failure::with_hint(
                format!("`{}` is no run directory", dir.display()),
                hint,
            ))
        }
    }
}

/// The campaign, site and plan that a run directory holds.
pub fn load(dir: &Path) -> Result<(Loaded, Plan), Failure> {
    let site = Some(dir.join(SITE).display().to_string());
    let overrides = Overrides {
        site,
        ..Overrides::default()
    };
    Ok(plan::load(&dir.join(CAMPAIGN), &overrides)?)
}

/// The lock of a run directory: held as long as the file is open, so a dead engine does not keep it.
pub fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join(LOCK);
    let file = open_lock(&path)
        .map_err(|e| Failure::new(format!("could not open `{}`: {e}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let hint = format!(
                "wait for it to end, or look at it with `moldflow status {}`",
                dir.display()
            );
            Err(Failure::with_hint(
                format!("another engine is at work on `{}`", dir.display()),
                hint,
            ))
        }
        Err(TryLockError::Error(e)) => Err(Failure::new(format!(
            "could not lock `{}`: {e}",
            path.display()
        ))),
    }
}

/// Whether an engine is at work on a run directory.
pub fn is_locked(dir: &Path) -> bool {
    File::open(dir.join(LOCK))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .read(true)
        .mode(0o600)
        .open(path)
}

/// `24Nov26-160000`, UTC.
fn stamp() -> String {
    jiff::Timestamp::now().strftime("%d%b%y-%H%M%S").to_string()
}

fn write(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(dir.join(name))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn to_yaml<T: serde::Serialize>(value: &T) -> io::Result<String> {
    serde_saphyr::to_string(value).map_err(io::Error::other)
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// The methods that compute energies, with all their settings.
fn qc_spec(loaded: &Loaded) -> serde_json::Value {
    let methods = loaded.campaign.methods.iter();
    let simulating =
        methods.filter(|(_, method)| matches!(method.kind, MethodKind::Simulate { .. }));
    simulating
        .map(|(name, method)| (name.clone(), json!(method)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn host_info() -> serde_json::Value {
    let uname = rustix::system::uname();
    let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
    json!({
        "hostname": text(uname.nodename()),
        "system": text(uname.sysname()),
        "release": text(uname.release()),
        "machine": text(uname.machine()),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "moldflow": env!("CARGO_PKG_VERSION"),
    })
}
