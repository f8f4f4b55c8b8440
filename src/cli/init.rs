//! `moldflow init`: writes a campaign from the answers to a few questions.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::terminal::say;
use super::{ExitStatus, print};
use crate::app::error::CommandError;
use crate::app::new_campaign::{NewCampaign, NewProperty};
use crate::chem::qm9::Qm9;
use crate::config::source::QM9;
use crate::config::survey::{Survey, survey};

#[derive(Args)]
pub(super) struct InitArguments {
    /// File to write
    #[arg(default_value = "campaign.yml", value_parser = super::path())]
    pub file: PathBuf,
    /// Property to look for
    #[arg(long, value_enum)]
    pub objective: Option<Aim>,
    /// Molecules: `qm9`, or a file of SMILES (.smi, .csv, .tsv)
    #[arg(long, value_name = "qm9|FILE")]
    pub molecules: Option<String>,
    /// What is done with the molecules
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    /// Program that computes a molecule
    #[arg(long, value_enum)]
    pub engine: Option<Engine>,
    /// Site profile: its name, or the path of its file
    #[arg(long, value_name = "NAME|FILE", default_value = "local")]
    pub site: String,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum Aim {
    /// The lowest atomization energy
    AtomizationEnergy,
    /// The lowest gap between HOMO and LUMO
    LowestGap,
    /// The highest gap between HOMO and LUMO
    HighestGap,
    /// The largest dipole moment
    Dipole,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum Mode {
    /// Search: learn from results and propose new molecules
    Search,
    /// Compute every molecule of the list, nothing else
    List,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum Engine {
    /// GFN2-xTB at an MMFF94 geometry: built in, a fraction of a second
    #[value(name = "gfn2//mmff94")]
    Gfn2,
    /// GFN2-xTB with a relaxed geometry: needs the program xtb, seconds
    Xtb,
    /// Density functional theory: needs NWChem and an MPI, minutes
    Nwchem,
}

/// Most molecules that a search begins with.
const MOST_INITIAL: usize = 8;
/// What a search for extreme properties finds and nobody can make: unsaturated rings of three and four
/// atoms, alkynes in rings, cumulenes. Each is forbidden unless a given molecule has it.
const STRAINED: [&str; 3] = ["[r3,r4]=,:*", "*#@*", "*=*=*"];

pub(super) fn run(arguments: &InitArguments) -> Result<ExitStatus, CommandError> {
    let file = arguments.file.display();
    if arguments.file.exists() {
        let message = format!("`{file}` exists already");
        return Err(CommandError::with_hint(
            message,
            "name another file, or delete it",
        ));
    }
    let aim = chosen(
        arguments.objective,
        "What do you look for?",
        Aim::AtomizationEnergy,
    )?;
    let molecules = match &arguments.molecules {
        Some(molecules) => molecules.clone(),
        None => asked("Which molecules? `qm9`, or a file of SMILES", QM9)?,
    };
    let mode = match molecules.as_str() {
        // All of QM9 would take a year.
        QM9 => arguments.mode.unwrap_or(Mode::Search),
        _ => chosen(
            arguments.mode,
            "What is to be done with them?",
            Mode::Search,
        )?,
    };
    let engine = chosen(arguments.engine, "What computes a molecule?", Engine::Gfn2)?;
    let space = match molecules.as_str() {
        QM9 => qm9(),
        // xtb relaxes what MMFF94 cannot.
        path => survey(Path::new(path), engine != Engine::Xtb, &STRAINED)?,
    };
    let campaign = campaign(arguments, aim, mode, engine, (&molecules, &space));
    campaign.write(&arguments.file)?;
    let aim = &campaign.aim;
    let mut told = format!("{aim}: {file} is written, and passes `moldflow check`\n");
    if let Some(reading) = &space.reading {
        told += &format!("{}: {reading}\n", reading.file);
    }
    print(&format!("{told}next: moldflow run {file}\n"))?;
    Ok(ExitStatus::Finished)
}

/// The search space of QM9.
fn qm9() -> Survey {
    Survey {
        molecules: Qm9::open().len(),
        elements: ["C", "N", "O", "F"].map(str::to_owned).to_vec(),
        max_heavy_atoms: 9,
        ring_sizes: (3..=7).collect(),
        absent: STRAINED.to_vec(),
        reading: None,
    }
}

fn campaign(
    arguments: &InitArguments,
    aim: Aim,
    mode: Mode,
    engine: Engine,
    (molecules, space): (&str, &Survey),
) -> NewCampaign {
    let property = aim.property();
    let (engine_note, timeout) = match engine {
        Engine::Gfn2 => ("  # GFN2-xTB at an MMFF94 geometry, built in", "2m"),
        Engine::Xtb => ("  # GFN2-xTB, relaxed; needs the program xtb", "10m"),
        Engine::Nwchem => ("", "4h"),
    };
    let name = arguments.file.file_stem().unwrap_or_default();
    NewCampaign {
        name: quoted(&name.to_string_lossy()),
        file: arguments.file.display().to_string(),
        aim: match mode {
            Mode::Search => format!("Find the molecule with {}", help(aim)),
            Mode::List => format!(
                "Compute a list of molecules, and show that with {}",
                help(aim)
            ),
        },
        site: quoted(&arguments.site),
        site_is_local: arguments.site == "local",
        search: mode == Mode::Search,
        initial: space.molecules.min(MOST_INITIAL),
        computed: (property.as_ref())
            .map_or("atomization_energy", |property| property.name)
            .to_owned(),
        property,
        source: match molecules {
            QM9 => QM9.to_owned(),
            path => quoted(&source_of(path, &arguments.file)),
        },
        is_file: molecules != QM9,
        elements: space.elements.join(", "),
        max_heavy_atoms: space.max_heavy_atoms,
        ring_sizes: ring_sizes(space),
        forbid: space.absent.iter().map(|rule| quoted(rule)).collect(),
        engine: word(engine),
        engine_note: engine_note.to_owned(),
        is_nwchem: engine == Engine::Nwchem,
        timeout: timeout.to_owned(),
    }
}

/// A text in the quotation marks of JSON, which are also those of YAML: a file may be named `1.yml`.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The file of molecules as the campaign names it: a relative path is relative to the campaign's folder.
fn source_of(molecules: &str, campaign: &Path) -> String {
    let folder = campaign
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let path = Path::new(molecules);
    match folder {
        Some(folder) if path.is_relative() => {
            let inside = path.strip_prefix(folder).map(Path::to_path_buf);
            let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            inside.unwrap_or_else(|_| absolute()).display().to_string()
        }
        _ => molecules.to_owned(),
    }
}

/// Sizes of the rings of a space; those that are common where it has none.
fn ring_sizes(space: &Survey) -> String {
    let sizes = match space.ring_sizes.as_slice() {
        [] => &[5, 6],
        sizes => sizes,
    };
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    sizes.join(", ")
}

impl Aim {
    /// The property with its direction; None for the atomization energy, which needs none.
    fn property(self) -> Option<NewProperty> {
        let gap = |direction| NewProperty {
            name: "gap",
            expression: "compute.gap",
            unit: "eV",
            label: "HOMO-LUMO gap",
            direction,
        };
        match self {
            Self::AtomizationEnergy => None,
            Self::LowestGap => Some(gap("minimize")),
            Self::HighestGap => Some(gap("maximize")),
            Self::Dipole => Some(NewProperty {
                name: "dipole",
                expression: "compute.dipole",
                unit: "debye",
                label: "dipole moment",
                direction: "maximize",
            }),
        }
    }
}

/// The given choice, or the answer to a question if somebody can be asked.
fn chosen<T: ValueEnum>(given: Option<T>, question: &str, default: T) -> Result<T, CommandError> {
    if let Some(given) = given {
        return Ok(given);
    }
    if !io::stdin().is_terminal() {
        return Ok(default);
    }
    let values = T::value_variants();
    say(question);
    for (number, value) in (1..).zip(values) {
        say(&format!("  {number}  {}", help(value.clone())));
    }
    loop {
        let answer = asked("Number", "1")?;
        let number = answer.parse::<usize>().ok();
        let by_number = number.and_then(|number| values.get(number.checked_sub(1)?));
        let by_word = values.iter().find(|value| word((*value).clone()) == answer);
        match by_number.or(by_word) {
            Some(value) => return Ok(value.clone()),
            None => say(&format!("`{answer}` is none of 1 to {}", values.len())),
        }
    }
}

/// The answer to a question on the terminal; the default if nobody can be asked, or says nothing.
fn asked(question: &str, default: &str) -> Result<String, CommandError> {
    if !io::stdin().is_terminal() {
        return Ok(default.to_owned());
    }
    say(&format!("{question} [{default}]"));
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    read.map_err(|e| CommandError::io("could not read the answer", &e))?;
    match answer.trim() {
        "" => Ok(default.to_owned()),
        answer => Ok(answer.to_owned()),
    }
}

/// Help text of a choice, beginning with a small letter unless it is a name.
fn help<T: ValueEnum>(value: T) -> String {
    let possible = value.to_possible_value();
    let help = possible.as_ref().and_then(|value| value.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    match help.strip_prefix("The ") {
        Some(rest) => format!("the {rest}"),
        None => help,
    }
}

fn word<T: ValueEnum>(value: T) -> String {
    let possible = value.to_possible_value();
    possible
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
