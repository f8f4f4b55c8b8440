//! Input file of NWChem.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use handlebars::Handlebars;
use serde_json::json;

use super::{Functions, NAME, Nwchem, NwchemTask, OpenShells, Solvent};
use crate::simulate::basis::Basis;
use crate::simulate::{PreparedMolecule, SCRATCH_LINK, SimError};

const TEMPLATE: &str = include_str!("../../../templates/nwchem.nw.hbs");

impl Nwchem {
    /// Writes the input file.
    pub(super) fn input(
        &self,
        prepared: &PreparedMolecule,
        scratch: Option<&Path>,
    ) -> Result<String, SimError> {
        static TEMPLATES: LazyLock<Handlebars> = LazyLock::new(|| {
            let mut templates = Handlebars::new();
            templates.register_escape_fn(handlebars::no_escape);
            templates
                .register_template_string(NAME, TEMPLATE)
                .expect("the template is valid");
            templates
        });
        let atoms = &prepared.geometry.atoms;
        let line = |(symbol, [x, y, z]): &(String, [f64; 3])| {
            format!("{symbol:<2} {x:16.10} {y:16.10} {z:16.10}")
        };
        let task = self.task_for(atoms.len());
        let data = json!({
            "atoms": atoms.iter().map(line).collect::<Vec<_>>(),
            "basis": self.basis,
            "charge": prepared.charge,
            "dielectric": self.solvent.map(Solvent::dielectric_constant),
            "functional": self.functional(),
            "functions": self.functions(),
            "frequencies": task == NwchemTask::Frequencies,
            "max_iterations": self.max_iterations,
            "max_steps": self.max_steps,
            "memory_mb": self.memory_mb,
            "multiplicity": prepared.multiplicity(),
            "optimize": task != NwchemTask::Energy,
            "open_shell": prepared.unpaired_electrons > 0,
            "restricted": self.open_shells == OpenShells::Restricted,
            "potentials": self.potentials(prepared),
            // Its input cannot contain paths with a blank, `:`, `;` or `#`.
            "scratch": scratch.map_or(".", |_| SCRATCH_LINK),
            "theory": if self.functional().is_some() { "dft" } else { "scf" },
            "unpaired_electrons": prepared.unpaired_electrons,
        });
        TEMPLATES
            .render(NAME, &data)
            .map_err(|e| SimError::Unsupported(format!("nwchem: its input cannot be written: {e}")))
    }

    /// Lines of the block `ecp`, one for each element with a potential: `*` would fail for the
    /// others.
    fn potentials(&self, prepared: &PreparedMolecule) -> Vec<String> {
        let Some(basis) = Basis::find(self.basis.as_str()) else {
            return Vec::new();
        };
        let symbols = prepared.geometry.atoms.iter().map(|(symbol, _)| symbol);
        let with_core: BTreeSet<&String> = symbols.filter(|s| basis.replaced(s) > 0).collect();
        let line = |symbol| format!("{symbol} library {}", basis.potentials());
        with_core.into_iter().map(line).collect()
    }

    /// Angular part of the functions, by default that for which the basis set was developed.
    fn functions(&self) -> Functions {
        let basis = self.basis.as_str().to_ascii_uppercase();
        let cartesian = ["3-21", "6-31G", "6-31+", "6-31*"];
        self.functions
            .unwrap_or(match cartesian.iter().any(|name| basis.starts_with(name)) {
                true => Functions::Cartesian,
                false => Functions::Spherical,
            })
    }
}
