//! Settings of a function, as campaigns write them.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::code::{CodeError, PythonCode};
use crate::host::hash::sha256;
use crate::text::memory::Amount;

/// Digits of the hash in the name of a function.
const HASH_DIGITS: usize = 12;

/// A function of the user in Python, and the interpreter that calls it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PythonFunction {
    /// The function: `module:function`.
    #[schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$"))]
    pub call: String,
    /// Python interpreter: a name on PATH, or a path, relative to the folder of the campaign file.
    #[serde(default = "default_interpreter")]
    #[schemars(length(min = 1))]
    pub interpreter: String,
    /// Folders of the modules, searched before those of the interpreter; relative to the folder of
    /// the campaign file, which is the default.
    #[serde(default)]
    pub path: Vec<String>,
    /// Keyword arguments of each call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, Value>,
    /// Most memory of the interpreter; a call that exceeds it fails, and the next one has a new
    /// interpreter.
    #[serde(default = "default_memory_limit")]
    pub memory_limit: Amount,
    /// True to keep an interpreter in each slot of a local partition, such that modules are
    /// imported once; false to start one for each call.
    #[serde(default = "default_warm")]
    pub warm: bool,
    /// Modules of the function as they were when the campaign was read; filled in then, not
    /// written by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<PythonCode>,
}

fn default_interpreter() -> String {
    "python3".into()
}

fn default_memory_limit() -> Amount {
    Amount::of_gibibytes(4)
}

fn default_warm() -> bool {
    true
}

/// Name of a function: its module and its name in that module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName {
    /// Dotted name of the module.
    pub module: String,
    /// Name of the function in the module.
    pub function: String,
}

impl FromStr for FunctionName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |name: &str| {
            let mut letters = name.chars();
            letters
                .next()
                .is_some_and(|c| c.is_alphabetic() || c == '_')
                && letters.all(|c| c.is_alphanumeric() || c == '_')
        };
        let is_dotted = |names: &str| names.split('.').all(is_name);
        match text.split_once(':') {
            Some((module, function)) if is_dotted(module) && is_dotted(function) => Ok(Self {
                module: module.to_owned(),
                function: function.to_owned(),
            }),
            _ => Err(format!("`{text}` is not a function")),
        }
    }
}

impl PythonFunction {
    /// Hint for a `call` that is not one.
    pub const CALL_HINT: &str = "write `module:function`, such as `potentials:energy` for `def energy(molecule)` in potentials.py";

    /// Fills in the modules of `calls`, the functions of a method, unless they are there already.
    /// `path` is absolute.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or the modules are too long.
    pub fn fill_in_code(&mut self, calls: &[&str]) -> Result<(), CodeError> {
        if self.code.is_some() {
            return Ok(());
        }
        let names = calls
            .iter()
            .filter_map(|call| call.parse::<FunctionName>().ok());
        let modules: Vec<String> = names.map(|name| name.module).collect();
        let folders: Vec<&Path> = self.path.iter().map(Path::new).collect();
        self.code = Some(PythonCode::read(&folders, &modules)?);
        Ok(())
    }

    /// Description of a function that is certainly not there: its module is, and does not hold its
    /// name.
    pub fn missing(&self, call: &str) -> Option<String> {
        let name: FunctionName = call.parse().ok()?;
        let module = self.code.as_ref()?.modules.get(&name.module)?;
        let mut words = module
            .text
            .split(|c: char| !c.is_alphanumeric() && c != '_');
        let first = name.function.split('.').next().unwrap_or_default();
        (!words.any(|word| word == first)).then(|| {
            format!(
                "`{}` has no function `{}`",
                module.file.display(),
                name.function
            )
        })
    }

    /// Hash of everything of the user's that the results depend on: modules and arguments. None if
    /// the modules are not in `path`.
    pub fn hash(&self) -> Option<String> {
        let code = self.code.as_ref().filter(|code| !code.modules.is_empty())?;
        let texts: BTreeMap<&str, &str> = code
            .modules
            .iter()
            .map(|(name, module)| (name.as_str(), module.text.as_str()))
            .collect();
        let whole = json!([texts, self.arguments]).to_string();
        Some(sha256(whole)[..HASH_DIGITS].to_owned())
    }

    /// Name of `call` with the hash of its code: `potentials:energy 5b1c9e02a7d4`.
    pub fn name_with_hash(&self) -> String {
        match self.hash() {
            Some(hash) => format!("{} {hash}", self.call),
            None => self.call.clone(),
        }
    }
}
