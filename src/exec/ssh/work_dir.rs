//! Server side of the SSH transport: `moldflow remote exchange` stores the directories of attempts
//! on the host where they run.

use std::fs::{self, File as OpenFile};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::message::{ExchangeAnswer, ExchangeMessage, ExchangeRequest, MessageFile, decoded};
use crate::exec::job_wrapper::clear_scratch;
use crate::host::hash::sha256;
use crate::task::Token;

/// Time that unused files and directories are kept.
const UNUSED: Duration = Duration::from_secs(3600);
/// Time that attempts of runs are kept that send no requests.
const FORGOTTEN: Duration = Duration::from_secs(60 * 86_400);

/// A folder for the attempts of many runs: `attempts/<token>`, and `files/<SHA-256>` that they
/// share.
pub struct WorkDir {
    dir: PathBuf,
}

impl WorkDir {
    /// Creates the store in `dir`, which need not exist.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Answers an encoded message with an encoded answer. `is_alive` returns true for an attempt,
    /// given by its directory and token, whose processes may still run; its directory is kept.
    ///
    /// # Errors
    ///
    /// The message does not decode, or a directory could not be removed or read. Other failures are
    /// part of the answer.
    pub fn answer(
        &self,
        message: &[u8],
        is_alive: impl Fn(&Path, &str) -> io::Result<bool>,
    ) -> io::Result<Vec<u8>> {
        let ExchangeMessage { done, request } = decoded(message).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the message is cut short, or from another version of moldflow",
            )
        })?;
        for token in done {
            self.remove(token)?;
        }
        let answered = match request {
            ExchangeRequest::Put {
                token,
                files,
                links,
            } => self.put(token, &files, &links),
            ExchangeRequest::Keep(files) => self.keep(&files),
            ExchangeRequest::Get { token, except } => return self.get(token, &except),
            ExchangeRequest::Sweep { run, keep } => self
                .sweep(run, &keep, is_alive)
                .map(|()| ExchangeAnswer::Done),
        };
        Ok(match answered {
            Ok(answer) => answer.encoded(),
            Err(e) => ExchangeAnswer::Failed(&e.to_string()).encoded(),
        })
    }

    /// Returns the directory of an attempt.
    ///
    /// # Errors
    ///
    /// Fails if `token` has not the form of a token: it could be any path.
    pub fn attempt(&self, token: &str) -> io::Result<PathBuf> {
        let is_token = token.parse::<Token>().is_ok_and(|token| {
            !token.run.is_empty() && token.run.chars().all(|c| c.is_ascii_alphanumeric())
        });
        match is_token {
            true => Ok(self.attempts().join(token)),
            false => Err(invalid(format!("`{token}` is no token"))),
        }
    }

    /// Returns the folder of the directories of all attempts.
    pub fn attempts(&self) -> PathBuf {
        self.dir.join("attempts")
    }

    fn put<'m>(
        &self,
        token: &str,
        files: &[MessageFile],
        links: &[(&'m str, &str)],
    ) -> io::Result<ExchangeAnswer<'m>> {
        let dir = self.attempt(token)?;
        if dir.exists() {
            return Ok(ExchangeAnswer::Done);
        }
        let mut missing = Vec::new();
        for (hash, _) in links {
            // The time says when it was last of use.
            let touched = OpenFile::open(self.kept(hash)?)
                .and_then(|file| file.set_modified(SystemTime::now()));
            if touched.is_err() {
                missing.push(*hash);
            }
        }
        if !missing.is_empty() {
            return Ok(ExchangeAnswer::Missing(missing));
        }
        let new = self.beside(token);
        fs::create_dir_all(&new)?;
        for MessageFile { name, content } in files {
            fs::write(new.join(plain(name)?), content)?;
        }
        for (hash, name) in links {
            let (from, to) = (self.kept(hash)?, new.join(plain(name)?));
            // The file system may have no hard links.
            if fs::hard_link(&from, &to).is_err() {
                fs::copy(&from, &to)?;
            }
        }
        fs::rename(new, dir)?;
        Ok(ExchangeAnswer::Done)
    }

    fn keep<'m>(&self, files: &[MessageFile]) -> io::Result<ExchangeAnswer<'m>> {
        fs::create_dir_all(self.dir.join("files"))?;
        for MessageFile { name, content } in files {
            let hash = sha256(content);
            if hash != *name {
                return Err(invalid(format!("a file came as {hash} that is {name}")));
            }
            let new = self.beside(name);
            fs::write(&new, content)?;
            fs::rename(new, self.kept(name)?)?;
        }
        Ok(ExchangeAnswer::Done)
    }

    fn get(&self, token: &str, except: &[&str]) -> io::Result<Vec<u8>> {
        let dir = self.attempt(token)?;
        if !dir.exists() {
            return Ok(ExchangeAnswer::NoAttempt.encoded());
        }
        let mut found = Vec::new();
        collect(&dir, "", except, &mut found)?;
        let files = found
            .iter()
            .map(|(name, content)| MessageFile { name, content });
        Ok(ExchangeAnswer::Files(files.collect()).encoded())
    }

    /// Removes the directory of an attempt, after it was renamed.
    fn remove(&self, token: &str) -> io::Result<()> {
        let (dir, gone) = (self.attempt(token)?, self.beside(token));
        clear_scratch(&dir);
        match fs::rename(dir, &gone) {
            Ok(()) => fs::remove_dir_all(gone),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(e),
        }
    }

    fn sweep(
        &self,
        run: &str,
        keep: &[&str],
        is_alive: impl Fn(&Path, &str) -> io::Result<bool>,
    ) -> io::Result<()> {
        for (name, age, _) in entries(&self.attempts())? {
            let token: Option<Token> = name.parse().ok();
            let is_of_run = token.as_ref().is_some_and(|token| token.run == run);
            // A new one may be that of another partition on this host.
            let is_left = match is_of_run {
                true => age > UNUSED && !keep.contains(&&*name),
                false => age > FORGOTTEN,
            };
            if is_left && token.is_some() && !is_alive(&self.attempt(&name)?, &name)? {
                self.remove(&name)?;
            }
        }
        for (name, age, links) in entries(&self.dir.join("files"))? {
            if links == 1 && age > UNUSED {
                fs::remove_file(self.kept(&name)?)?;
            }
        }
        // Left when this program was killed while it made or removed them.
        for (name, age, _) in entries(&self.dir)? {
            let path = self.dir.join(&name);
            if name.starts_with(UNFINISHED) && age > UNUSED {
                match path.is_dir() {
                    true => fs::remove_dir_all(path)?,
                    false => fs::remove_file(path)?,
                }
            }
        }
        Ok(())
    }

    fn kept(&self, hash: &str) -> io::Result<PathBuf> {
        let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        match is_hash {
            true => Ok(self.dir.join("files").join(hash)),
            false => Err(invalid(format!("`{hash}` is no SHA-256"))),
        }
    }

    /// Returns a path of this process for a file or directory that is made or removed.
    fn beside(&self, name: &str) -> PathBuf {
        let id = std::process::id();
        self.dir.join(format!("{UNFINISHED}{name}-{id}"))
    }
}

const UNFINISHED: &str = ".unfinished-";

/// Returns a name as a path of plain components, so that a file stays below its directory.
///
/// # Errors
///
/// Fails if the path is empty, absolute, or has `..` in it.
pub fn plain(name: &str) -> io::Result<&Path> {
    let path = Path::new(name);
    let is_plain = |part| matches!(part, Component::Normal(_));
    match !name.is_empty() && path.components().all(is_plain) {
        true => Ok(path),
        false => Err(invalid(format!("`{name}` is no path below a directory"))),
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// Collects the files below `dir`, except links, `except` and hidden files, which are unfinished.
fn collect(
    dir: &Path,
    prefix: &str,
    except: &[&str],
    found: &mut Vec<(String, Vec<u8>)>,
) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = format!("{prefix}{name}");
        if name.starts_with('.') || except.contains(&&*path) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), &format!("{path}/"), except, found)?;
        } else if kind.is_file() {
            found.push((path, fs::read(entry.path())?));
        }
    }
    Ok(())
}

/// Returns name, age and number of links of each entry of a folder; nothing if there is no folder.
fn entries(dir: &Path) -> io::Result<Vec<(String, Duration, u64)>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let known = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let metadata = entry.metadata().ok()?;
        let age = metadata.modified().ok()?.elapsed().unwrap_or_default();
        Some((entry.file_name().into_string().ok()?, age, metadata.nlink()))
    });
    Ok(known.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_of_the_folder_can_be_named() {
        let dir = WorkDir::new(Path::new("/work"));
        assert!(dir.attempt("1f.7.1").is_ok());
        for token in ["../1f.7.1", "1f/..7.1", ".7.1", "1f.7", "1f.7.1/..", ""] {
            assert!(dir.attempt(token).is_err(), "{token}");
        }
        assert!(dir.kept(&sha256(b"")).is_ok());
        for hash in ["", "../../etc/passwd", &"/".repeat(64)] {
            assert!(dir.kept(hash).is_err(), "{hash}");
        }
        assert!(plain("geometry/xtbopt.xyz").is_ok());
        for name in ["", "/etc/passwd", "../x", "a/../../x", "."] {
            assert!(plain(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_file_is_kept_only_under_its_own_hash() {
        let dir = tempfile::tempdir().expect("a directory");
        let work_dir = WorkDir::new(dir.path());
        let name = sha256(b"right");
        let keep = |content| {
            work_dir.keep(&[MessageFile {
                name: &name,
                content,
            }])
        };
        assert!(keep(b"wrong").is_err());
        assert!(keep(b"right").is_ok());
        assert_eq!(
            fs::read(dir.path().join("files").join(name)).expect("kept"),
            b"right"
        );
    }
}
