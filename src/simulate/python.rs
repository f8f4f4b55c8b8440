//! Engine `python`: a function of the user in Python, which is given a molecule and returns
//! quantities.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::electrons::{self, ElectronicState, charge_and_multiplicity};
use super::{
    ConformerSearch, MMFF94, Outputs, PreparedMolecule, PreparedSimulation, Request, Requirement,
    SettingFault, SimError, SimResult, Simulator, default_conformers, embed_timeout,
    require_same_bonds,
};
use crate::chem::{Geometry, Molecule};
use crate::property::{Dimension, ENERGY, Quantities, Unit, built_in};
use crate::python::{CallError, PythonFunction};

pub(super) const NAME: &str = "python";
/// Key of a returned geometry, which no quantity may have as its name.
const POSITIONS: &str = "positions";

/// Settings of the engine `python`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PythonEngine {
    /// The function and its interpreter.
    #[serde(flatten)]
    pub function: PythonFunction,
    /// Quantities that the function returns, each with its unit.
    #[serde(default = "energy_in_hartree")]
    #[schemars(extend("minProperties" = 1))]
    pub quantities: BTreeMap<String, String>,
    /// True to give the function the lowest conformer of the molecule; false to give it no
    /// geometry, which takes no time.
    #[serde(default)]
    pub geometry: bool,
    /// Number of embeddings of a molecule, as of the other engines; used if `geometry` is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NonZeroU32", default = "default_conformers", range(max = 1000))]
    pub conformers: Option<NonZeroU32>,
    /// Time limit of all embeddings of a molecule together, in whole seconds; used if `geometry` is
    /// true.
    #[serde(default = "embed_timeout")]
    pub embed_timeout_seconds: NonZeroU32,
}

fn energy_in_hartree() -> BTreeMap<String, String> {
    BTreeMap::from([(ENERGY.to_owned(), "hartree".to_owned())])
}

impl From<CallError> for SimError {
    fn from(error: CallError) -> Self {
        let message = error.to_string();
        match error {
            CallError::Unsupported { .. } => Self::Unsupported(message),
            CallError::NotConverged { .. } => Self::NotConverged(message),
            CallError::Memory { .. } => Self::Memory(message),
            CallError::Answer { .. } => Self::Unreadable(message),
            CallError::NotANumber { .. } => Self::NotANumber(message),
            CallError::Load { .. } | CallError::Raised { .. } | CallError::Ended { .. } => {
                Self::Exit(message)
            }
            CallError::Start { source, .. } => Self::Exit(format!("{message}: {source}")),
        }
    }
}

impl Simulator for PythonEngine {
    /// Name of the function and hash of its code: results of changed code are of another level.
    fn level(&self, _: &str) -> String {
        self.function.name_with_hash()
    }

    fn quantities(&self) -> BTreeMap<String, Dimension> {
        let units = self.quantities.iter();
        let dimension = |(name, unit): (&String, &String)| {
            let unit: Unit = unit.parse().ok()?;
            Some((name.clone(), unit.dimension()))
        };
        units.filter_map(dimension).collect()
    }

    fn requirement(&self) -> Option<Requirement> {
        Some(Requirement {
            program: self.function.interpreter.clone(),
            ..requirement()
        })
    }

    /// The function may return positions, which are then of its level.
    fn relaxes(&self) -> bool {
        self.geometry
    }

    fn takes_geometries(&self) -> bool {
        self.geometry
    }

    fn faults(&self, _: &[String]) -> Vec<SettingFault> {
        quantity_faults(&self.quantities)
    }

    fn conformers_mut(&mut self) -> Option<&mut Option<NonZeroU32>> {
        Some(&mut self.conformers)
    }

    fn typical_time(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn conformer_search(&self) -> ConformerSearch {
        ConformerSearch {
            conformers: self.conformers,
            embed_timeout_seconds: self.embed_timeout_seconds,
            needs_mmff94: false,
        }
    }

    fn prepare(&self, request: &Request, _: Option<&Path>) -> Result<PreparedSimulation, SimError> {
        let (charge, multiplicity) = charge_and_multiplicity(&request.smiles)?;
        let mut input = json!({
            "smiles": request.smiles,
            "charge": charge,
            "multiplicity": multiplicity,
        });
        let prepared = match self.geometry {
            true => Some(PreparedMolecule::new(
                request,
                self.conformer_search(),
                ElectronicState::default(),
            )?),
            false => None,
        };
        if let Some(PreparedMolecule { geometry, .. }) = &prepared {
            let symbols = geometry.atoms.iter().map(|(symbol, _)| json!(symbol));
            let positions = geometry.atoms.iter().map(|(_, position)| json!(position));
            input["symbols"] = symbols.collect();
            input[POSITIONS] = positions.collect();
        }
        let level = prepared.as_ref().and_then(|prepared| prepared.level);
        Ok(PreparedSimulation::Function(FunctionCall {
            function: self.function.clone(),
            input,
            // MMFF94 has no parameters for the molecule, so that it must be relaxed.
            must_relax: level.is_some_and(|level| level != MMFF94),
            geometry: prepared.map(|prepared| prepared.geometry),
        }))
    }

    /// Reads what [`FunctionCall::outputs`] wrote.
    fn parse(&self, request: &Request, outputs: &Outputs) -> Result<SimResult, SimError> {
        let call = &self.function.call;
        let answer: FunctionAnswer = serde_json::from_str(&outputs.stdout)
            .map_err(|error| CallError::answer(call, error.to_string()))?;
        let molecule = Molecule::parse(&request.smiles)?;
        let mut returned = self.named(answer.returned)?;
        let geometry = match (answer.geometry, returned.remove(POSITIONS)) {
            (Some(given), Some(positions)) => {
                let relaxed =
                    moved(given, positions).map_err(|why| CallError::answer(call, why))?;
                require_same_bonds(&molecule, &relaxed, call)?;
                Some(relaxed)
            }
            (None, Some(_)) => {
                let why = "it returned `positions`, but `geometry: true` is not among its settings";
                return Err(CallError::answer(call, why).into());
            }
            (Some(_), None) if answer.must_relax => {
                return Err(SimError::Unsupported(format!(
                    "MMFF94 has no parameters for `{}`, and `{call}` returned no `positions`",
                    request.smiles
                )));
            }
            (given, None) => given,
        };
        let mut quantities = self.in_atomic_units(&returned)?;
        let energy = quantities.remove(ENERGY);
        if let Some(energy) = energy {
            electrons::require_possible(call, &molecule, energy)?;
        }
        Ok(SimResult {
            total_energy_hartree: energy,
            engine: NAME.to_owned(),
            version: self.function.interpreter.clone(),
            level_of_theory: self.function.name_with_hash(),
            quantities,
            geometry,
        })
    }
}

impl PythonEngine {
    /// The answer of the function by name: a number is the one quantity that is declared.
    fn named(&self, returned: Value) -> Result<Map<String, Value>, CallError> {
        let fault = |why: String| Err(CallError::answer(&self.function.call, why));
        match returned {
            Value::Object(named) => Ok(named),
            // Numbers that are not finite are texts.
            value @ (Value::Number(_) | Value::String(_)) => {
                let mut names = self.quantities.keys();
                match (names.next(), names.next()) {
                    (Some(name), None) => Ok([(name.clone(), value)].into_iter().collect()),
                    _ => fault("it returned a number, but several quantities are declared".into()),
                }
            }
            other => fault(format!(
                "it returned {}, which is neither a number nor a dict of quantities",
                kind(&other)
            )),
        }
    }

    /// The declared quantities in atomic units; no more and no less must be there.
    fn in_atomic_units(&self, returned: &Map<String, Value>) -> Result<Quantities, CallError> {
        let call = &self.function.call;
        let fault = |why: String| Err(CallError::answer(call, why));
        if let Some(other) = returned
            .keys()
            .find(|name| !self.quantities.contains_key(*name))
        {
            return fault(format!(
                "it returned `{other}`, which `quantities` does not declare"
            ));
        }
        let mut quantities = Quantities::new();
        for (name, unit) in &self.quantities {
            let unit: Unit = match unit.parse() {
                Ok(unit) => unit,
                Err(error) => return fault(format!("the unit of `{name}`: {error}")),
            };
            let value = match returned.get(name) {
                None => return fault(format!("it returned no `{name}`, which is declared")),
                Some(value) => number(call, name, value)?,
            };
            quantities.insert(name.clone(), unit.to_atomic(value));
        }
        Ok(quantities)
    }
}

/// A returned number, which must be finite.
fn number(call: &str, name: &str, value: &Value) -> Result<f64, CallError> {
    if let Value::String(text) = value
        && ["nan", "inf", "-inf"].contains(&text.as_str())
    {
        return Err(CallError::NotANumber {
            call: call.to_owned(),
            message: format!("`{name}` is {text}"),
        });
    }
    match value.as_f64() {
        Some(number) if number.is_finite() => Ok(number),
        _ => Err(CallError::answer(
            call,
            format!("`{name}` is {}, not a number", kind(value)),
        )),
    }
}

/// The program of functions that name none.
pub(super) fn requirement() -> Requirement {
    Requirement {
        program: "python3".to_owned(),
        version_args: Some(&["--version"]),
        install: "Debian: `apt install python3`; or name an interpreter, `interpreter: ./venv/bin/python`",
    }
}

/// Problems of declared quantities: their names and their units.
fn quantity_faults(quantities: &BTreeMap<String, String>) -> Vec<SettingFault> {
    let mut faults = Vec::new();
    for (name, unit) in quantities {
        let mut fault = |message: String, hint: String| {
            faults.push(SettingFault {
                setting: "quantities",
                message,
                hint,
            });
        };
        let mut letters = name.chars();
        let is_name = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name || name == POSITIONS {
            fault(
                format!("`{name}` cannot be the name of a quantity"),
                "names consist of letters, digits and `_`; `positions` is the geometry".to_owned(),
            );
        }
        match unit.parse::<Unit>() {
            Err(error) => fault(
                format!("the unit of the quantity `{name}`: {error}"),
                "`1` is the unit of a plain number".to_owned(),
            ),
            Ok(unit) => {
                if let Some(dimension) = built_in(name).filter(|of| *of != unit.dimension()) {
                    fault(
                        format!("`{unit}` is not a unit of `{name}`, which is {dimension}"),
                        Unit::hint_for(dimension).unwrap_or_default(),
                    );
                }
            }
        }
    }
    faults
}

/// The geometry with returned positions in angstrom, in the order of the given ones.
fn moved(given: Geometry, positions: Value) -> Result<Geometry, String> {
    let positions: Vec<[f64; 3]> = serde_json::from_value(positions)
        .map_err(|error| format!("`positions` are not three numbers for each atom: {error}"))?;
    if positions.len() != given.atoms.len() {
        return Err(format!(
            "`positions` are of {} atoms, but the molecule has {}",
            positions.len(),
            given.atoms.len()
        ));
    }
    let symbols = given.atoms.into_iter().map(|(symbol, _)| symbol);
    Ok(Geometry {
        atoms: symbols.zip(positions).collect(),
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "None",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a str",
        Value::Array(_) => "a list",
        Value::Object(_) => "a dict",
    }
}

/// Call of a function of the user in Python.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionCall {
    /// The function.
    pub function: PythonFunction,
    /// Its argument, the molecule.
    pub input: Value,
    /// Geometry that the function is given; None if it needs none.
    geometry: Option<Geometry>,
    /// True if an energy at that geometry would be of no level of theory.
    must_relax: bool,
}

/// Answer of a function, with what it was given.
#[derive(Serialize, Deserialize)]
struct FunctionAnswer {
    returned: Value,
    geometry: Option<Geometry>,
    must_relax: bool,
}

impl FunctionCall {
    /// Text that `Simulator::parse` reads, for the value that the function returned in `dir`.
    pub fn outputs(self, returned: Value, dir: &Path) -> Outputs {
        let answer = FunctionAnswer {
            returned,
            geometry: self.geometry,
            must_relax: self.must_relax,
        };
        Outputs {
            dir: dir.to_owned(),
            stdout: serde_json::to_string(&answer).unwrap_or_default(),
            stderr: String::new(),
            exit_code: Some(0),
        }
    }
}
