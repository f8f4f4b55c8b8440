//! Secrets that are removed from messages, logs and pages: values of variables that look like secrets,
//! and tokens in URLs.

/// Replacement of a secret.
pub const HIDDEN: &str = "***";
/// Parts of names whose values are secrets.
const SIGNS: [&str; 9] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "APIKEY",
    "API_KEY",
    "_KEY",
];
/// Shorter values are no secrets worth the name, and would be found in innocent words.
const SHORTEST: usize = 6;

/// The secrets that this process knows of.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Collects the values of those of `variables` whose names look like secrets.
    pub fn among(variables: impl Iterator<Item = (String, String)>) -> Self {
        // Its own tokens name attempts; nobody can do anything by them.
        let secret = |name: &str| looks_secret(name) && !name.starts_with("MOLDFLOW_");
        let found = variables.filter(|(name, value)| secret(name) && value.len() >= SHORTEST);
        let mut values: Vec<String> = found.map(|(_, value)| value).collect();
        // A secret may hold another one.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self(values)
    }

    /// Returns the text with all secrets replaced by `***`.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.0 {
            text = text.replace(value, HIDDEN);
        }
        without_values(&without_tokens(&text))
    }
}

/// Returns true if a variable or key of this name has a secret value.
pub fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SIGNS.iter().any(|sign| name.contains(sign))
}

/// Values that a shell gives to variables that look like secrets: `export API_KEY='...'`.
fn without_values(text: &str) -> String {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((before, value)) = rest.split_once('=') {
        clean.extend([before, "="]);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = before.rsplit(|c| !is_name(c)).next().unwrap_or_default();
        let length = match value.chars().next() {
            _ if !looks_secret(name) || name.starts_with("MOLDFLOW_") => 0,
            Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(value.len(), |end| end + 2),
            _ => value
                .find(|c: char| c.is_whitespace() || "\"'<>`&#;,)".contains(c))
                .unwrap_or(value.len()),
        };
        if length > 0 {
            clean.push_str(HIDDEN);
        }
        rest = &value[length..];
    }
    clean + rest
}

/// Users and passwords before the host of a URL, and the values of parameters that look like
/// secrets.
fn without_tokens(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        clean.push_str("://");
        let ends = |c: char| c.is_whitespace() || "\"'<>`".contains(c);
        let (url, rest) = part.split_at(part.find(ends).unwrap_or(part.len()));
        let host = url.find(['/', '?', '#']).unwrap_or(url.len());
        let (authority, path) = url.split_at(host);
        match authority.rsplit_once('@') {
            Some((_, host)) => clean.extend([HIDDEN, "@", host]),
            None => clean.push_str(authority),
        }
        for parameter in path.split_inclusive(['?', '&', '#']) {
            match parameter.split_once('=') {
                Some((name, value)) if is_parameter_secret(name) => {
                    let end = value.len() - value.trim_end_matches(['?', '&', '#']).len();
                    clean.extend([name, "=", HIDDEN, &value[value.len() - end..]]);
                }
                _ => clean.push_str(parameter),
            }
        }
        clean.push_str(rest);
    }
    clean
}

fn is_parameter_secret(name: &str) -> bool {
    looks_secret(name) || ["key", "sig", "signature"].contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secrets() -> Secrets {
        let variables = [
            ("GITHUB_TOKEN", "ghp_abcdef"),
            ("AWS_SECRET_ACCESS_KEY", "ghp_abcdefgh"),
            ("db_password", "tomato soup"),
            ("MOLDFLOW_TOKEN", "0123456789.1.1"),
            ("PIN_TOKEN", "12345"),
            ("HOME", "/home/someone"),
        ];
        Secrets::among(
            variables
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .into_iter(),
        )
    }

    #[test]
    fn secrets_are_hidden_and_nothing_else() {
        let hidden = |text: &str| secrets().hide(text);
        assert_eq!(hidden("a ghp_abcdefgh b ghp_abcdef"), "a *** b ***");
        assert_eq!(hidden("x=tomato soup;"), "x=***;");
        let innocent = "0123456789.1.1 at 12345 in /home/someone, see https://host/page?id=7#key";
        assert_eq!(hidden(innocent), innocent);
    }

    #[test]
    fn tokens_in_urls_are_hidden() {
        let hidden = |text: &str| Secrets::default().hide(text);
        assert_eq!(
            hidden("GET https://me:pass@host/x?a=1&access_token=t0k&b=2 failed, 'ftp://k@h' too"),
            "GET https://***@host/x?a=1&access_token=***&b=2 failed, 'ftp://***@h' too"
        );
        assert_eq!(hidden("https://h/?sig=abc"), "https://h/?sig=***");
    }

    #[test]
    fn values_that_a_shell_gives_are_hidden() {
        let hidden = |text: &str| Secrets::default().hide(text);
        assert_eq!(
            hidden("export A_KEY='b c' N=4; B_TOKEN=x; a == b, MOLDFLOW_TOKEN=1.1.1"),
            "export A_KEY=*** N=4; B_TOKEN=***; a == b, MOLDFLOW_TOKEN=1.1.1"
        );
        assert_eq!(hidden("API_KEY=\"open"), "API_KEY=***");
        assert_eq!(hidden("API_KEY="), "API_KEY=");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_secret_survives(before in ".{0,40}", after in "[ -~é]{0,40}") {
            let text = format!("{before}tomato soup{after} http://u:p@h{after}");
            prop_assert!(!secrets().hide(&text).contains("tomato soup"));
        }
    }
}
