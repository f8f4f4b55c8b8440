//! The run directory: made, locked, and read back.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Mode;
use serde_json::json;

use super::failure::Failure;
use super::start::host_environment;
use super::terminal::say;
use crate::config::campaign::{Campaign, Loaded, MethodKind, Overrides};
use crate::config::source::QM9;
use crate::host::atomic::{self, Durability};
use crate::host::name::host_name;
use crate::plan::{self, Plan};
use crate::store::{self, Store, StoreError};

pub const CAMPAIGN: &str = "campaign.yml";
pub const SITE: &str = "site.yml";
pub const LOG: &str = "runtime.log";
pub const LOCK: &str = "lock";

/// Files and directories made from now on, by this process and its children, are the user's alone.
pub fn keep_private() {
    rustix::process::umask(Mode::from_raw_mode(0o077));
}

/// Makes the directory of a new run, with the resolved campaign and site in it, and locks it.
///
/// Without `dir` it is a new one, `runs_dir/<time>-<hash of campaign and site>`.
pub fn create(
    loaded: &Loaded,
    dir: Option<PathBuf>,
    runs_dir: &Path,
) -> Result<(PathBuf, File), Failure> {
    let asked_for = dir.clone().unwrap_or_else(|| runs_dir.to_owned());
    let failed = |e: io::Error| {
        let what = format!(
            "could not make the run directory in `{}`",
            asked_for.display()
        );
        Failure::io(&what, &e)
    };
    let dir = match dir {
        Some(dir) => {
            refuse_used(&dir)?;
            fs::create_dir_all(&dir).map(|()| dir)
        }
        None => new_dir(runs_dir, &format!("{}-{}", stamp(), &loaded.hash()[..6])),
    };
    let dir = dir.and_then(|dir| dir.canonicalize()).map_err(failed)?;
    // One that was there before may be open to others.
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).map_err(failed)?;
    let lock = lock(&dir)?;
    // Asked again: somebody else may have been faster.
    refuse_used(&dir)?;
    describe(loaded, &dir).map_err(failed)?;
    Ok((dir, lock))
}

fn refuse_used(dir: &Path) -> Result<(), Failure> {
    if !dir.join(CAMPAIGN).exists() && !dir.join(store::FILE).exists() {
        return Ok(());
    }
    let message = format!("there is a run in `{}` already", dir.display());
    let hint = format!("`moldflow resume {}` goes on with it", dir.display());
    Err(Failure::with_hint(message, hint))
}

/// A directory that nobody else has made, of this name or one with a number behind it.
fn new_dir(parent: &Path, name: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(parent)?;
    let names = (2..).map(|n| format!("{name}-{n}"));
    for name in std::iter::once(name.to_owned()).chain(names) {
        match fs::create_dir(parent.join(&name)) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| parent.join(&name)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Writes what the run is about; `campaign.yml` last, by which a run directory is known.
fn describe(loaded: &Loaded, dir: &Path) -> io::Result<()> {
    let params = serde_json::to_value(&loaded.params)?;
    write(dir, "run_params.json", &pretty(&params))?;
    write(dir, "qc_spec.json", &pretty(&qc_spec(loaded)))?;
    write(dir, "host_info.json", &pretty(&host_info()))?;
    write(dir, SITE, &to_yaml(&loaded.site)?)?;
    write(dir, CAMPAIGN, &to_yaml(&self_contained(loaded, dir)?)?)
}

/// The campaign with a copy of its source in the run directory, so that the run goes on whatever
/// becomes of the original.
fn self_contained(loaded: &Loaded, dir: &Path) -> io::Result<Campaign> {
    let mut campaign = loaded.campaign.clone();
    let source = &mut campaign.search_space.source;
    if source != QM9 {
        let extension = Path::new(source).extension().unwrap_or_default();
        let copy = Path::new("source").with_extension(extension);
        // Not `fs::copy`, which copies who may read it too.
        io::copy(
            &mut File::open(&source)?,
            &mut File::create(dir.join(&copy))?,
        )?;
        *source = copy.display().to_string();
    }
    Ok(campaign)
}

/// The directory of an existing run.
pub fn existing(dir: &Path) -> Result<PathBuf, Failure> {
    match dir.canonicalize() {
        Ok(dir) if dir.join(CAMPAIGN).exists() || dir.join(store::FILE).exists() => {
            refuse_links(&dir)?;
            Ok(dir)
        }
        _ => {
            let message = format!("`{}` is no run directory", dir.display());
            let hint = "a run directory is what `moldflow run` names at its start: `runs/...`";
            Err(Failure::with_hint(message, hint))
        }
    }
}

/// Refuses links that lead out of a run directory, which may come from somebody else: what is read
/// through them would be shown, and what is written or deleted would be another's.
fn refuse_links(dir: &Path) -> Result<(), Failure> {
    // Deeper there are only the files of attempts, which are opened as no links.
    let mut folders = vec![dir.to_owned(), dir.join("state"), dir.join("tasks")];
    folders.extend(entries(&dir.join("tasks"))?);
    for folder in folders {
        for path in entries(&folder)? {
            let target = path.read_link();
            let is_inside = || path.canonicalize().is_ok_and(|end| end.starts_with(dir));
            if let Ok(target) = target
                && !is_inside()
            {
                let message = format!(
                    "`{}` is a symbolic link that leads out of the run directory, to `{}`",
                    path.display(),
                    target.display()
                );
                let hint = "put what it leads to in its place, or delete it";
                return Err(Failure::with_hint(message, hint));
            }
        }
    }
    Ok(())
}

/// What is in a folder that is no link; nothing if there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !folder.is_dir() || folder.is_symlink() {
        return Ok(Vec::new());
    }
    let read = || -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?;
        entries.map(|entry| Ok(entry?.path())).collect()
    };
    read().map_err(|e| Failure::io(&format!("could not read `{}`", folder.display()), &e))
}

/// Writes the settings again that are missing in a run directory, as its database has them.
async fn restore(dir: &Path) -> Result<(), Failure> {
    let missing = |name: &&str| !dir.join(name).exists();
    let missing: Vec<&str> = [CAMPAIGN, SITE].into_iter().filter(missing).collect();
    if missing.is_empty() || !dir.join(store::FILE).exists() {
        return Ok(());
    }
    let Some(settings) = open_to_read(dir).await?.settings().await?.pop() else {
        return Ok(());
    };
    keep_private();
    for name in missing {
        let text = match name {
            SITE => &settings.site,
            _ => &settings.campaign,
        };
        let path = dir.join(name);
        write(dir, name, text)
            .map_err(|e| Failure::io(&format!("could not write `{}`", path.display()), &e))?;
        say(&format!(
            "`{}` was missing: it was written again from the database",
            path.display()
        ));
    }
    Ok(())
}

/// The campaign, site and plan that a run directory holds.
pub async fn load(dir: &Path) -> Result<(Loaded, Plan), Failure> {
    restore(dir).await?;
    let site = Some(dir.join(SITE).display().to_string());
    let overrides = Overrides {
        site,
        drawn: dir.join(store::FILE).exists(),
        resolved: true,
        ..Overrides::default()
    };
    Ok(plan::load(
        &dir.join(CAMPAIGN),
        &overrides,
        &host_environment(),
    )?)
}

/// The database of a run directory, for reading. One of an earlier version is brought to the
/// present schema, unless an engine is at work.
pub async fn open_to_read(dir: &Path) -> Result<Store, StoreError> {
    match Store::open_to_read(dir).await {
        Err(older @ StoreError::Older { .. }) => {
            let Ok(_lock) = lock(dir) else {
                return Err(older);
            };
            Store::open(dir).await?.close().await?;
            Store::open_to_read(dir).await
        }
        opened => opened,
    }
}

/// Tries at the lock, and the time between two of them: those who look whether it is held hold it
/// for a moment themselves, and so does a task that a dead engine was about to start.
const TRIES: (usize, Duration) = (50, Duration::from_millis(10));

/// The lock of a run directory: held as long as the file is open, so a dead engine does not keep
/// it.
pub fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join(LOCK);
    let file = open_lock(&path)
        .map_err(|e| Failure::io(&format!("could not open `{}`", path.display()), &e))?;
    let mut locked = file.try_lock();
    for _ in 1..TRIES.0 {
        if !matches!(locked, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(TRIES.1);
        locked = file.try_lock();
    }
    match locked {
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
        Err(TryLockError::Error(e)) => {
            let what = format!("could not lock `{}`", path.display());
            Err(Failure::io(&what, &e))
        }
    }
}

/// Whether an engine is at work on a run directory.
pub fn is_locked(dir: &Path) -> bool {
    File::open(dir.join(LOCK))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    options.open(path)
}

/// `24Nov26-160000`, UTC.
fn stamp() -> String {
    jiff::Timestamp::now().strftime("%d%b%y-%H%M%S").to_string()
}

fn write(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    atomic::write(&dir.join(name), text.as_bytes(), Durability::Synced)
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
        "hostname": host_name(),
        "system": text(uname.sysname()),
        "release": text(uname.release()),
        "machine": text(uname.machine()),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "moldflow": env!("CARGO_PKG_VERSION"),
    })
}
