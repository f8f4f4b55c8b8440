//! Run directory: creation, lock and reading.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Mode;
use serde_json::json;

use super::error::{CommandError, Topic};
use super::host::host_environment;
use crate::config::campaign::{Campaign, LoadedCampaign, MethodKind, Overrides};
use crate::config::source::QM9;
use crate::host::atomic::{self, Durability};
use crate::host::name::host_name;
use crate::plan::{self, Plan};
use crate::store::{self, Store, StoreError};

/// File of the resolved campaign.
pub const CAMPAIGN: &str = "campaign.yml";
/// File of the resolved site profile.
pub const SITE: &str = "site.yml";
/// Values of the params with which the run was begun.
pub(super) const PARAMS: &str = "run_params.json";
/// Log of the processes that worked on the run.
pub const LOG: &str = "runtime.log";
/// The same log as JSON lines.
pub const LOG_LINES: &str = "runtime.jsonl";
/// File that is locked while a process works on the run.
pub const LOCK: &str = "lock";

/// Makes files and directories that this process and its children create accessible to the user
/// alone.
pub fn keep_private() {
    rustix::process::umask(Mode::from_raw_mode(0o077));
}

/// Makes the directory of a new run, with the resolved campaign and site in it, and locks it.
/// Returns its path and lock.
///
/// Without `dir` it is a new one, `runs_dir/<time>-<hash of campaign and site>`.
///
/// # Errors
///
/// Fails if `dir` holds a run already or cannot be written.
pub fn create(
    loaded: &LoadedCampaign,
    dir: Option<PathBuf>,
    runs_dir: &Path,
) -> Result<(PathBuf, File), CommandError> {
    let (dir, lock) = reserve(loaded, dir, runs_dir)?;
    describe(loaded, &dir)?;
    Ok((dir, lock))
}

/// Makes and locks the directory of a new run, which [`describe`] then describes. Returns its path
/// and lock.
///
/// # Errors
///
/// Fails if `dir` holds a run already or cannot be written.
pub fn reserve(
    loaded: &LoadedCampaign,
    dir: Option<PathBuf>,
    runs_dir: &Path,
) -> Result<(PathBuf, File), CommandError> {
    let asked_for = dir.clone().unwrap_or_else(|| runs_dir.to_owned());
    let failed = |e: io::Error| {
        let what = format!(
            "could not create the run directory in `{}`",
            asked_for.display()
        );
        CommandError::io(&what, &e)
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
    // Again: another process may have been faster.
    refuse_used(&dir)?;
    Ok((dir, lock))
}

/// Returns true if `dir` is the directory of a run.
pub fn holds_run(dir: &Path) -> bool {
    dir.join(CAMPAIGN).exists() || dir.join(store::FILE).exists()
}

fn refuse_used(dir: &Path) -> Result<(), CommandError> {
    if !holds_run(dir) {
        return Ok(());
    }
    let message = format!("`{}` already contains a run", dir.display());
    let hint = format!("`moldflow resume {}` resumes it", dir.display());
    Err(CommandError::with_hint(message, hint).about(Topic::RunDirectory))
}

/// Makes a directory of this name, or of this name and a number if the name is taken.
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

/// Writes the resolved campaign and site of a new run into its directory; `campaign.yml`, which
/// marks a run directory, last.
///
/// # Errors
///
/// Fails if the directory cannot be written.
pub fn describe(loaded: &LoadedCampaign, dir: &Path) -> Result<(), CommandError> {
    let what = || format!("could not create the run directory in `{}`", dir.display());
    write_descriptions(loaded, dir).map_err(|e| CommandError::io(&what(), &e))
}

fn write_descriptions(loaded: &LoadedCampaign, dir: &Path) -> io::Result<()> {
    let params = serde_json::to_value(&loaded.params)?;
    write(dir, PARAMS, &pretty(&params))?;
    write(dir, "qc_spec.json", &pretty(&qc_spec(loaded)))?;
    write(dir, "host_info.json", &pretty(&host_info()))?;
    write(dir, SITE, &to_yaml(&loaded.site)?)?;
    write(dir, CAMPAIGN, &to_yaml(&self_contained(loaded, dir)?)?)
}

/// Copies the source and the tables into the run directory and returns the campaign with those
/// paths: the originals may change.
fn self_contained(loaded: &LoadedCampaign, dir: &Path) -> io::Result<Campaign> {
    let mut campaign = loaded.campaign.clone();
    let source = &mut campaign.search_space.source;
    if source != QM9 {
        *source = copied(source, "source", dir)?;
    }
    for (name, table) in campaign.table_files() {
        table.table = copied(&table.table, &format!("table-{name}"), dir)?;
    }
    Ok(campaign)
}

/// Copies a file into the run directory under a new name, its extension kept; returns the name.
fn copied(file: &str, name: &str, dir: &Path) -> io::Result<String> {
    let extension = Path::new(file).extension().unwrap_or_default();
    let copy = Path::new(name).with_extension(extension);
    // Not `fs::copy`, which copies who may read it too.
    io::copy(&mut File::open(file)?, &mut File::create(dir.join(&copy))?)?;
    Ok(copy.display().to_string())
}

/// Returns the absolute path of the directory of an existing run.
///
/// # Errors
///
/// Fails if `dir` does not exist, is not a run directory, or has links that lead out of it.
pub fn existing(dir: &Path) -> Result<PathBuf, CommandError> {
    match dir.canonicalize() {
        Ok(dir) if holds_run(&dir) => {
            refuse_links(&dir)?;
            Ok(dir)
        }
        found => {
            let why = match found {
                Ok(_) => "is not a run directory",
                Err(_) => "does not exist, or cannot be read",
            };
            let message = format!("`{}` {why}", dir.display());
            let hint = "`moldflow runs` lists the run directories below `runs`";
            Err(CommandError::with_hint(message, hint).about(Topic::RunDirectory))
        }
    }
}

/// Refuses links that lead out of a run directory, which may come from another user: through them
/// foreign files would be shown, overwritten or deleted.
fn refuse_links(dir: &Path) -> Result<(), CommandError> {
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
                let hint = "replace the link by its target, or delete it";
                return Err(CommandError::with_hint(message, hint).about(Topic::RunDirectory));
            }
        }
    }
    Ok(())
}

/// Returns the entries of a folder; empty if it does not exist or is a link.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    if !folder.is_dir() || folder.is_symlink() {
        return Ok(Vec::new());
    }
    let read = || -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?;
        entries.map(|entry| Ok(entry?.path())).collect()
    };
    read().map_err(|e| CommandError::io(&format!("could not read `{}`", folder.display()), &e))
}

/// Writes the settings again that are missing in a run directory, as its database has them.
async fn restore(dir: &Path, notify: &mut dyn FnMut(&str)) -> Result<(), CommandError> {
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
            .map_err(|e| CommandError::io(&format!("could not write `{}`", path.display()), &e))?;
        notify(&format!(
            "`{}` was missing and has been restored from the database",
            path.display()
        ));
    }
    Ok(())
}

/// Returns the text of the campaign of a run directory.
///
/// # Errors
///
/// Fails if it cannot be read.
pub fn campaign_text(dir: &Path) -> Result<String, CommandError> {
    let path = dir.join(CAMPAIGN);
    fs::read_to_string(&path)
        .map_err(|e| CommandError::io(&format!("could not read `{}`", path.display()), &e))
}

/// Reads the campaign, site and plan of a run directory. A file of them that is missing is restored
/// from the database; `notify` receives a line for each.
///
/// # Errors
///
/// Fails if the campaign or the site is wrong, or if a missing file cannot be restored.
pub async fn load(
    dir: &Path,
    notify: &mut dyn FnMut(&str),
) -> Result<(LoadedCampaign, Plan), CommandError> {
    load_with(dir, &[], notify).await
}

/// Does the same as [`load`], with the values of `--set`.
///
/// # Errors
///
/// Those of [`load`], and those of the values.
pub async fn load_with(
    dir: &Path,
    set: &[String],
    notify: &mut dyn FnMut(&str),
) -> Result<(LoadedCampaign, Plan), CommandError> {
    restore(dir, notify).await?;
    let site = Some(dir.join(SITE).display().to_string());
    let overrides = Overrides {
        set: set.to_vec(),
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

/// Refuses to continue or to verify a run that version 0.1 began: its journal has other facts.
///
/// # Errors
///
/// Fails if version 0.1 began the run.
pub async fn refuse_first_version(dir: &Path) -> Result<(), CommandError> {
    if !dir.join(store::FILE).exists() {
        return Ok(());
    }
    let info = match open_to_read(dir).await {
        Ok(mut store) => store.run_info().await,
        Err(error) => Err(error),
    };
    // Damage is reported by the verification; a database without a run has not begun.
    let version = match info {
        Ok(info) if info.is_of_first_version() => info.version,
        Ok(_) | Err(_) => return Ok(()),
    };
    let message = format!(
        "the run in `{}` was begun by moldflow {version}, and this is moldflow {}",
        dir.display(),
        env!("CARGO_PKG_VERSION")
    );
    let hint = "`status`, `export` and `report` read its results; start a new run for more";
    Err(CommandError::with_hint(message, hint).about(Topic::Version))
}

/// Opens the database of a run directory for reading. A database of an earlier version is updated
/// to the current schema, unless another process works on the run.
///
/// # Errors
///
/// Fails if the database cannot be read, or is one of another version.
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

/// Locks a run directory as long as the returned file is open; the lock ends with the process.
///
/// # Errors
///
/// Fails if another process holds the lock.
pub fn lock(dir: &Path) -> Result<File, CommandError> {
    let path = dir.join(LOCK);
    let file = open_lock(&path)
        .map_err(|e| CommandError::io(&format!("could not open `{}`", path.display()), &e))?;
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
                "wait until it ends, or see `moldflow status {}`",
                dir.display()
            );
            Err(CommandError::with_hint(
                format!("another moldflow process is working on `{}`", dir.display()),
                hint,
            )
            .about(Topic::RunDirectory))
        }
        Err(TryLockError::Error(e)) => {
            let what = format!("could not lock `{}`", path.display());
            Err(CommandError::io(&what, &e))
        }
    }
}

/// Returns true if a process works on a run directory.
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

/// Writes a file atomically.
pub(super) fn write(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    atomic::write(&dir.join(name), text.as_bytes(), Durability::Synced)
}

fn to_yaml<T: serde::Serialize>(value: &T) -> io::Result<String> {
    serde_saphyr::to_string(value).map_err(io::Error::other)
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// Returns the methods that compute energies, with all their settings.
fn qc_spec(loaded: &LoadedCampaign) -> serde_json::Value {
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
