//! Probes of this host: its name, the scratch folder, GPUs, resource limits and engines.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use super::{Finding, Host, ProgramRequirement};
use crate::config::site::Site;
use crate::exec::probe::{ProbeHost, ProbeOutcome};
use crate::exec::{on_path, scratch_path};

/// Checks that the profile recognises this host.
pub fn recognised(site: &Site, host: &Host) -> Finding {
    let Host { name, recognised } = host;
    match recognised {
        true => Finding::ok("host", format!("`{name}` is the site")),
        false => Finding::warning(
            "host",
            format!("`{name}` is not recognised as the site `{}`", site.name),
            "run this where campaigns are to be started; if it is there, correct `recognise`",
        ),
    }
}

/// Checks that the scratch folder, or the folder in which it would be made, can be written to.
pub fn scratch(folder: &Path) -> Finding {
    let shown = folder.display();
    // A relative one is made inside the run directory, which is made here.
    let absolute = match scratch_path(folder, Path::new("."), |name| std::env::var(name).ok()) {
        Ok(absolute) => absolute,
        Err(unset) => {
            return Finding::warning(
                "scratch",
                format!("`{shown}` cannot be looked at from here: {unset}"),
                "nothing, if tasks run elsewhere and have it there",
            );
        }
    };
    let existing: Option<PathBuf> = absolute
        .ancestors()
        .find(|ancestor| ancestor.exists())
        .map(Path::to_owned);
    let base = existing.unwrap_or_else(|| ".".into());
    let probe = base.join(format!(".moldflow-check-{}", std::process::id()));
    match File::create_new(&probe) {
        Ok(_) => {
            let _ = fs::remove_file(&probe);
            Finding::ok("scratch", format!("`{shown}` can be written to"))
        }
        Err(error) => Finding::failed(
            "scratch",
            format!("`{shown}` cannot be written to: {error}"),
            "name a folder in `scratch` that is yours, best one on a fast disk",
        ),
    }
}

/// Checks that this host has the GPUs that its slots divide; None if they divide none.
pub fn gpus(site: &Site) -> Option<Finding> {
    if !site.uses_gpus_here() {
        return None;
    }
    let is_gpu = |name: &str| {
        let number = name.strip_prefix("nvidia");
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let devices = fs::read_dir("/dev").into_iter().flatten().flatten();
    let names = devices.filter_map(|entry| entry.file_name().into_string().ok());
    let (found, wanted) = (names.filter(|name| is_gpu(name)).count(), site.node.gpus);
    Some(match found >= wanted {
        true => Finding::ok(
            "gpus",
            format!("{found} GPUs are here, {wanted} are divided"),
        ),
        false => Finding::warning(
            "gpus",
            format!(
                "the profile has {wanted} GPUs (`node.gpus`), this host shows {found} (/dev/nvidia0, ...)"
            ),
            "nothing, if tasks run on other nodes or on GPUs of another make; otherwise correct `node.gpus`",
        ),
    })
}

/// Checks the limits on open files and processes.
pub fn limits(site: &Site) -> [Finding; 2] {
    let tasks: usize = site
        .partitions
        .values()
        .filter_map(|partition| {
            Some(partition.slot_count(&site.node)? * partition.cores_per_task.get())
        })
        .sum();
    // Pipes, logs and the database; and a task's own threads with those that watch it.
    [
        limit("open files", Resource::Nofile, 256 + 8 * tasks, "ulimit -n"),
        limit("processes", Resource::Nproc, 128 + 4 * tasks, "ulimit -u"),
    ]
}

fn limit(what: &str, resource: Resource, needed: usize, command: &str) -> Finding {
    match getrlimit(resource).current {
        Some(limit) if limit < needed as u64 => Finding::warning(
            "limits",
            format!("{limit} {what} are allowed, {needed} may be needed"),
            format!("raise it in the shell that starts moldflow: `{command} {needed}`"),
        ),
        Some(limit) => Finding::ok("limits", format!("{limit} {what} are allowed")),
        None => Finding::ok("limits", format!("{what} are not limited")),
    }
}

/// Checks that the program of an engine is there, and reports its version.
pub fn engine(site: &Site, engine: &ProgramRequirement) -> Finding {
    let subject = format!("engine {}", engine.name);
    let missing = || {
        Finding::warning(
            &subject,
            format!("the program `{}` is not on this host", engine.program),
            format!(
                "only for campaigns that use it: {}; or load it in `setup`",
                engine.install
            ),
        )
    };
    let Some(arguments) = &engine.version_args else {
        return match on_path(&engine.program) {
            Some(path) => Finding::ok(&subject, path.display().to_string()),
            None if site.setup.is_empty() => missing(),
            None => Finding::warning(
                &subject,
                format!(
                    "the program `{}` is not on PATH before `setup`",
                    engine.program
                ),
                "nothing, if a line of `setup` loads it",
            ),
        };
    };
    let argv: Vec<&str> = std::iter::once(engine.program.as_str())
        .chain(arguments.iter().map(String::as_str))
        .collect();
    match ProbeHost::Local.run(&argv, &site.setup, &BTreeMap::new(), "") {
        ProbeOutcome::Missing => missing(),
        ProbeOutcome::Ended { stdout, stderr, .. } => {
            let digits = |line: &&str| line.contains(|c: char| c.is_ascii_digit());
            let mut lines = stdout.lines().chain(stderr.lines());
            let line = lines
                .clone()
                .find(|line| line.contains("version") && digits(line));
            let line = line
                .or_else(|| lines.find(digits))
                .unwrap_or("it does not say its version");
            Finding::ok(&subject, line.trim().trim_matches('*').trim())
        }
        trouble => Finding::warning(
            &subject,
            format!(
                "`{}` does not say its version: {}",
                engine.program,
                trouble.failure()
            ),
            "run it by hand",
        ),
    }
}
