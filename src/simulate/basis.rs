//! Basis sets of NWChem's library: the elements that they have functions for, and the electrons
//! replaced by effective core potentials.

use super::SettingFault;

/// Table of basis sets, written by `data/nwchem-bases.py` from the library of NWChem 7.0.2.
const LIBRARY: &str = include_str!("../../data/nwchem-bases.tsv");

/// A basis set of NWChem's library.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    /// Name of its file, as spelled by [`file_name`].
    file: &'static str,
    elements: &'static str,
    /// Name of the file with its effective core potentials.
    potentials: &'static str,
}

/// Treatment of the core electrons of an element by a basis set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CoreTreatment {
    /// All electrons are treated.
    AllElectron,
    /// An effective core potential replaces this number of electrons.
    Replaced(u32),
    /// The core needs a potential that the library lacks.
    Missing,
}

impl Basis {
    /// Finds a basis set by its name in NWChem; None if version 7.0.2 has no such set.
    pub(super) fn find(name: &str) -> Option<Self> {
        let name = file_name(name);
        let mut rows = LIBRARY.lines().filter_map(|line| {
            let mut columns = line.split('\t');
            Some(Self {
                file: columns.next()?,
                elements: columns.next()?,
                potentials: columns.next()?,
            })
        });
        rows.find(|basis| basis.file == name)
    }

    /// Treatment of an element's core; None if the set has no functions for the element.
    pub(super) fn core(&self, element: &str) -> Option<CoreTreatment> {
        self.elements.split(' ').find_map(|word| {
            if let Some((symbol, core)) = word.split_once('-') {
                return (symbol == element)
                    .then(|| CoreTreatment::Replaced(core.parse().unwrap_or(0)));
            }
            match word.strip_suffix('?') {
                Some(symbol) => (symbol == element).then_some(CoreTreatment::Missing),
                None => (word == element).then_some(CoreTreatment::AllElectron),
            }
        })
    }

    /// Number of electrons of an element that its effective core potential replaces.
    pub(super) fn replaced(&self, element: &str) -> u32 {
        match self.core(element) {
            Some(CoreTreatment::Replaced(core)) => core,
            Some(CoreTreatment::AllElectron | CoreTreatment::Missing) | None => 0,
        }
    }

    /// Name of its effective core potentials in NWChem's library.
    pub(super) fn potentials(&self) -> &'static str {
        self.potentials
    }
}

/// Name of the file of a basis set, by the rules of NWChem 7.0.2 as observed.
fn file_name(name: &str) -> String {
    let letters = name.trim().chars().filter(|c| !"()".contains(*c));
    let letters = letters.map(|c| match c.to_ascii_lowercase() {
        ' ' | ',' => '_',
        '*' => 's',
        other => other,
    });
    letters.collect()
}

/// Problem of a basis set for hydrogen and these elements; None if there is none.
pub(super) fn check(name: &str, elements: &[String]) -> Option<SettingFault> {
    let fault = |message: String| {
        Some(SettingFault {
            setting: "basis",
            message,
            hint: hint(elements),
        })
    };
    let listed = |of: &[&str]| {
        let symbols: Vec<String> = of.iter().map(|symbol| format!("`{symbol}`")).collect();
        symbols.join(", ")
    };
    let elements = || ["H"].into_iter().chain(elements.iter().map(String::as_str));
    let Some(basis) = Basis::find(name) else {
        // Sets replace cores by potentials for elements beyond neon, and hardly ever for lighter
        // ones.
        let light = ["H", "B", "C", "N", "O", "F"];
        let heavy: Vec<&str> = elements().filter(|e| !light.contains(e)).collect();
        return match heavy.as_slice() {
            [] => None,
            heavy => fault(format!(
                "`{name}` is no basis set of NWChem 7.0.2, so that it is not known whether {} needs an effective core potential with it",
                listed(heavy)
            )),
        };
    };
    let bare: Vec<&str> = elements()
        .filter(|e| basis.core(e) == Some(CoreTreatment::Missing))
        .collect();
    if !bare.is_empty() {
        return fault(format!(
            "the basis set `{name}` needs an effective core potential for {}, which NWChem 7.0.2 does not have",
            listed(&bare)
        ));
    }
    let missing: Vec<&str> = elements().filter(|e| basis.core(e).is_none()).collect();
    match missing.as_slice() {
        [] => None,
        missing => fault(format!(
            "the basis set `{name}` has no functions for {}",
            listed(missing)
        )),
    }
}

/// Hint that lists common sets with functions for all of these elements.
fn hint(elements: &[String]) -> String {
    let common = [
        "3-21G",
        "6-31G*",
        "6-311G**",
        "cc-pVDZ",
        "def2-SVP",
        "def2-TZVP",
        "lanl2dz_ecp",
    ];
    let fits = |name: &str| {
        let basis = Basis::find(name);
        basis.is_some_and(|basis| elements.iter().all(|e| basis.core(e).is_some()))
    };
    let names: Vec<String> = common
        .into_iter()
        .filter(|name| fits(name))
        .map(|name| format!("`{name}`"))
        .collect();
    match names.as_slice() {
        [] => "no common set has all elements of the search space: choose fewer".to_owned(),
        names => format!(
            "sets with all elements of the search space: {}",
            names.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_file_as_in_nwchem() {
        for (name, file) in [
            ("6-311++G(2d,2p)", "6-311++g2d_2p"),
            ("6-31G**", "6-31gss"),
            ("LANL2DZ ECP", "lanl2dz_ecp"),
            ("Def2-TZVP", "def2-tzvp"),
            ("cc-pV(T+d)Z+", "cc-pvt+dz+"),
        ] {
            assert_eq!(Basis::find(name).unwrap().file, file);
        }
        for unknown in ["6-31G(d)", "def2_tzvp", "lanl2dz"] {
            assert!(Basis::find(unknown).is_none(), "{unknown}");
        }
    }

    /// The cores are those of the potentials' authors: 28 electrons of iodine for def2 (Peterson et
    /// al. 2003), 46 for LANL2DZ (Hay and Wadt 1985).
    #[test]
    fn cores_are_those_that_the_potentials_replace() {
        let core = |basis: &str, element: &str| Basis::find(basis).unwrap().core(element);
        assert_eq!(core("def2-svp", "I"), Some(CoreTreatment::Replaced(28)));
        assert_eq!(core("def2-svp", "Br"), Some(CoreTreatment::AllElectron));
        assert_eq!(core("lanl2dz_ecp", "I"), Some(CoreTreatment::Replaced(46)));
        assert_eq!(core("lanl2dz_ecp", "Cl"), Some(CoreTreatment::Replaced(10)));
        assert_eq!(core("lanl2dz_ecp", "C"), Some(CoreTreatment::AllElectron));
        assert_eq!(core("cc-pvdz-pp", "I"), Some(CoreTreatment::Missing));
        assert_eq!(core("6-31G*", "I"), None);
    }

    #[test]
    fn sets_without_functions_or_potentials_for_an_element_are_refused() {
        let check = |name: &str, elements: &[&str]| {
            let elements: Vec<String> = elements.iter().map(|e| (*e).to_owned()).collect();
            check(name, &elements).map(|fault| fault.message)
        };
        for (name, elements) in [
            ("def2-svp", ["C", "I"]),
            ("3-21G", ["C", "I"]),
            ("lanl2dz_ecp", ["Br", "I"]),
            ("6-31G*", ["C", "Br"]),
            ("a-set-of-a-later-version", ["C", "O"]),
        ] {
            assert_eq!(check(name, &elements), None, "{name}");
        }
        for (name, elements) in [
            ("6-31G*", ["C", "I"]),
            ("cc-pVDZ", ["C", "I"]),
            ("cc-pVDZ-PP", ["C", "I"]),
            ("dhf-svp", ["C", "I"]),
            ("stuttgart_rlc_ecp", ["C", "O"]),
            ("a-set-of-a-later-version", ["C", "S"]),
        ] {
            assert!(check(name, &elements).is_some(), "{name}");
        }
    }
}
