//! Beginnings of paths that users write: `~/` and environment variables.

use std::path::Path;

/// Error in the beginning of a path that a shell would replace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HomeError {
    /// `~user/...`
    #[error("`{0}` names the home directory of another user")]
    OtherUser(String),
    /// `$NAME/...`
    #[error("`{0}` begins with a variable")]
    Variable(String),
    /// `~/...` without HOME.
    #[error("`{0}` is in the home directory, which is not known: HOME is not set")]
    NotKnown(String),
}

impl HomeError {
    /// Advice to the user.
    pub fn hint(&self) -> String {
        match self {
            Self::OtherUser(_) => "write the absolute path; only `~/` is understood".into(),
            Self::Variable(written) => {
                let home = ["$HOME/", "${HOME}/"];
                let rest = home.iter().find_map(|home| written.strip_prefix(home));
                let instead =
                    rest.map_or("the path itself".to_owned(), |rest| format!("`~/{rest}`"));
                format!("write {instead}: variables are understood in `scratch` only")
            }
            Self::NotKnown(_) => "write the absolute path".into(),
        }
    }
}

/// Returns the part of a path after a leading `~/`, empty for `~` alone; None for other paths.
pub fn in_home(written: &str) -> Option<&str> {
    let rest = written.strip_prefix('~')?;
    if rest.is_empty() {
        Some("")
    } else {
        rest.strip_prefix('/')
    }
}

/// Returns a path with a leading `~/` replaced by the home directory.
///
/// # Errors
///
/// Fails if the path begins with the home directory of another user or with a variable, or if HOME
/// is not set.
pub fn expanded(written: &str) -> Result<String, HomeError> {
    let text = || written.to_owned();
    match in_home(written) {
        Some(rest) => {
            let home = std::env::home_dir().filter(|home| home.is_absolute());
            let home = home.ok_or_else(|| HomeError::NotKnown(text()))?;
            Ok(home
                .join(rest.trim_start_matches('/'))
                .display()
                .to_string())
        }
        None if written.starts_with('~') => Err(HomeError::OtherUser(text())),
        None if written.starts_with('$') => Err(HomeError::Variable(text())),
        None => Ok(text()),
    }
}

/// Returns the variable with which a directory begins, and the path after it: `$NAME`,
/// `${NAME}/folder`; `~/folder` begins with HOME. None if it begins with no variable.
pub fn variable(dir: &Path) -> Option<(&str, &str)> {
    let text = dir.to_str()?;
    if let Some(rest) = in_home(text) {
        return Some(("HOME", rest.trim_start_matches('/')));
    }
    let text = text.strip_prefix('$')?;
    let (name, rest) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => text.split_at(text.find('/').unwrap_or(text.len())),
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_end = rest.is_empty() || rest.starts_with('/');
    (is_name && is_end).then(|| (name, rest.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_the_whole_value_or_its_first_part() {
        let variable = |text| variable(Path::new(text)).map(|(n, r)| (n.to_owned(), r.to_owned()));
        let some = |name: &str, rest: &str| Some((name.to_owned(), rest.to_owned()));
        assert_eq!(variable("$TMPDIR"), some("TMPDIR", ""));
        assert_eq!(variable("${TMPDIR}/a/b"), some("TMPDIR", "a/b"));
        assert_eq!(variable("$TMP_1//a"), some("TMP_1", "a"));
        assert_eq!(variable("~/a/b"), some("HOME", "a/b"));
        assert_eq!(variable("~"), some("HOME", ""));
        for not in [
            "./scratch",
            "a/$TMPDIR",
            "$",
            "$1",
            "${TMPDIR}a",
            "${TMPDIR",
            "$A-B",
            "~me/a",
        ] {
            assert_eq!(variable(not), None, "{not}");
        }
    }
}
