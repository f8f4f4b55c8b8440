//! Loading of a campaign file and its site profile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::campaign::{Campaign, MethodKind, Scalar, Schedule};
use super::diagnostic::{Diagnostic, Diagnostics, Place, Text};
use super::overrides::SetOption;
use super::params;
use super::paths::{PathEscape, below};
use super::profiles::{self, Origin};
use super::site::Site;
use super::source::Source;
use super::tree::{self, TreeNode};
use super::{check, first_version, lookup_table, python_code, schema, validation};
use crate::host::hash;
use crate::simulate::QcEngine;
use crate::text::path::expanded;

/// Changes that the command line makes to a campaign.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `KEY=VALUE`, KEY being a param or a dotted path.
    pub set: Vec<String>,
    /// Seed instead of that of the campaign.
    pub seed: Option<u64>,
    /// Schedule instead of that of the campaign.
    pub schedule: Option<Schedule>,
    /// Name or path of a site profile.
    pub site: Option<String>,
    /// True if the molecules have been drawn already: the source need not exist any more.
    pub drawn: bool,
    /// True for the file of a run: keys that it lacks were unknown to the version that wrote it.
    pub resolved: bool,
}

/// A validated campaign and its site.
#[derive(Clone, Debug)]
pub struct LoadedCampaign {
    /// The campaign with its params and overrides filled in, and with absolute paths.
    pub campaign: Campaign,
    /// With `auto` and `cores` replaced by what this host has.
    pub site: Site,
    /// File of the site profile, or the program itself.
    pub site_origin: Origin,
    /// Values of the params, which `campaign` holds where they were referenced.
    pub params: BTreeMap<String, Scalar>,
    /// Source of molecules; none if they have been drawn already, or if it has errors.
    pub source: Option<Arc<Source>>,
    tree: TreeNode,
    faulty: BTreeSet<String>,
}

impl LoadedCampaign {
    /// Returns a hash of the campaign, its methods and its site, notifications left out: eight
    /// hexadecimal digits.
    pub fn hash(&self) -> String {
        let mut whole = serde_json::json!([self.campaign, self.site]);
        if let Some(campaign) = whole[0].as_object_mut() {
            campaign.shift_remove("notify");
        }
        hash::hex(&hash::digest([whole.to_string().as_bytes()])[..4])
    }

    /// Returns the place of a value, by its path, or that of its nearest parent.
    pub fn place(&self, path: &[&str]) -> Place {
        self.tree.find(path).clone()
    }

    /// Returns true if the file has these keys, each in the block of the one before.
    pub fn writes(&self, path: &[&str]) -> bool {
        let mut keys = path.iter();
        let found = keys.try_fold(&self.tree, |block, key| Some(block.entry(key)?.1));
        found.is_some()
    }

    /// Returns true if this section of the file is well formed, such that it can be checked
    /// further.
    pub fn is_sound(&self, section: &str) -> bool {
        !self.faulty.contains(section)
    }
}

/// Reads and validates a campaign and its site; only the order of the stages is left to check.
///
/// # Errors
///
/// Fails with all errors of the campaign, its site and its source.
pub fn load(path: &Path, overrides: &Overrides) -> Result<LoadedCampaign, Diagnostics> {
    let (loaded, diagnostics) = read(path, overrides)?;
    diagnostics.or(loaded)
}

/// Does the same as [`load`], but returns a well-formed campaign with its errors, such that its
/// stages can be checked as well.
///
/// # Errors
///
/// Fails with all errors of a campaign that is not well formed.
pub fn read(
    path: &Path,
    overrides: &Overrides,
) -> Result<(LoadedCampaign, Diagnostics), Diagnostics> {
    let text = Text::read(path).map_err(|mut unread| {
        let hint = || "`moldflow init` writes a campaign".to_owned();
        if !path.exists() {
            unread.hint.get_or_insert_with(hint);
        }
        unread
    })?;
    let mut diagnostics = Diagnostics::default();
    let Some(mut tree) = tree::parse(&text, &mut diagnostics) else {
        return Err(diagnostics);
    };
    if overrides.resolved {
        first_version::upgrade(&mut tree);
    }
    let schema = schema::campaign();
    let top_level: Vec<&str> = schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(|all| all.keys())
        .map(String::as_str)
        .collect();
    let sets = sets(overrides, &mut diagnostics);
    let params = params::resolve(&mut tree, &sets, &top_level, &mut diagnostics);
    let entries = tree.entries().iter();
    let incomplete: Vec<String> = entries
        .filter(|(_, node)| node.is_incomplete())
        .map(|(key, _)| key.name.clone())
        .collect();
    validation::validate(&schema, &mut tree, &mut diagnostics);

    let base = folder_of(path);
    let mut campaign = match serde_json::from_value::<Campaign>(tree.to_json()) {
        Ok(campaign) => at_home(campaign, &tree, &mut diagnostics),
        Err(_) if !diagnostics.is_empty() => return Err(sorted(diagnostics)),
        Err(error) => return Err(Diagnostic::new(error.to_string()).at(text.whole()).into()),
    };
    if !overrides.resolved {
        campaign.fill_in_defaults();
    }
    campaign.expand();
    let mut faulty = sections(&tree, &text, &diagnostics);
    faulty.extend(incomplete);
    let (site, site_origin) = match site(&campaign, overrides, base) {
        Ok(site) => site,
        Err(found) => {
            diagnostics.extend(match overrides.site {
                Some(_) => found,
                None => found.named_at(tree.find(&["site"])),
            });
            return Err(sorted(diagnostics));
        }
    };
    let mut loaded = LoadedCampaign {
        campaign,
        site: site.resolved(),
        site_origin,
        params,
        source: None,
        tree,
        faulty,
    };
    loaded.campaign.params.clear();
    // The run directory has a copy of the profile: only its name is needed.
    loaded.campaign.site = loaded.site.name.clone();
    let before = diagnostics.0.len();
    let absolute = absolute_paths(&loaded, base, &mut diagnostics);
    let inside = diagnostics.0.len() == before;
    let source = check::check(&loaded, base, overrides.drawn || !inside, &mut diagnostics);
    loaded.source = source.map(Arc::new);
    loaded.campaign = absolute;
    Ok((loaded, diagnostics))
}

fn folder_of(path: &Path) -> &Path {
    let parent = path.parent();
    let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Changes of `overrides` as options of the command line.
fn sets(overrides: &Overrides, diagnostics: &mut Diagnostics) -> Vec<SetOption> {
    let schedule = overrides
        .schedule
        .map(|schedule| serde_json::to_value(schedule).unwrap_or(Json::Null));
    let schedule = schedule.and_then(|schedule| Some(format!("schedule={}", schedule.as_str()?)));
    let all = overrides
        .set
        .iter()
        .map(|argument| SetOption::parse("--set", argument));
    let all = all.chain(
        overrides
            .seed
            .map(|seed| SetOption::parse("--seed", &format!("seed={seed}"))),
    );
    let all = all.chain(schedule.map(|argument| SetOption::parse("--schedule", &argument)));
    let mut sets = Vec::new();
    for set in all {
        match set {
            Ok(set) => sets.push(set),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    sets
}

/// Site profile. A path on the command line is relative to the working directory, one in a campaign
/// to the campaign's folder.
fn site(
    campaign: &Campaign,
    overrides: &Overrides,
    base: &Path,
) -> Result<(Site, Origin), Diagnostics> {
    match &overrides.site {
        Some(path) if profiles::is_path(path) => profiles::file(&profiles::path(path)?),
        Some(name) => profiles::named(name, &profiles::search_path(base)),
        None if profiles::is_path(&campaign.site) => {
            let path = below(base, campaign.site.as_ref());
            path.map_err(|outside| led_out(&outside))?;
            profiles::file(&base.join(&campaign.site))
        }
        None => profiles::named(&campaign.site, &profiles::search_path(base)),
    }
}

/// Top-level keys whose lines have errors; all keys if an error is elsewhere.
fn sections(tree: &TreeNode, text: &Arc<Text>, diagnostics: &Diagnostics) -> BTreeSet<String> {
    let keys: Vec<(usize, &str)> = tree
        .entries()
        .iter()
        .map(|(key, _)| (key.place.line, key.name.as_str()))
        .collect();
    let mut faulty = BTreeSet::new();
    for diagnostic in &diagnostics.0 {
        let line = diagnostic
            .place
            .as_ref()
            .filter(|place| Arc::ptr_eq(&place.text, text))
            .map(|place| place.line);
        match line.and_then(|line| keys.iter().rev().find(|(start, _)| *start <= line)) {
            Some((_, key)) => {
                faulty.insert((*key).to_owned());
            }
            None => faulty.extend(keys.iter().map(|(_, key)| (*key).to_owned())),
        }
    }
    faulty
}

/// Campaign with `~/` replaced by the home directory.
fn at_home(mut campaign: Campaign, tree: &TreeNode, diagnostics: &mut Diagnostics) -> Campaign {
    let mut expand = |path: &mut String, place: &[&str]| match expanded(path) {
        Ok(expanded) => *path = expanded,
        Err(error) => diagnostics.push(Diagnostic::from(error).at(tree.find(place).clone())),
    };
    expand(
        &mut campaign.search_space.source,
        &["search_space", "source"],
    );
    expand(&mut campaign.site, &["site"]);
    if let Some(cache) = &mut campaign.cache {
        expand(cache, &["cache"]);
    }
    if let Some(program) = notified_program(&mut campaign) {
        expand(program, &["notify", "command", "0"]);
    }
    for (name, method) in &mut campaign.methods {
        if let MethodKind::Simulate {
            engine: QcEngine::Command { settings },
            ..
        } = &mut method.kind
        {
            let words = settings.argv.iter_mut().enumerate();
            for (index, word) in words.filter(|(_, word)| word.starts_with("~/")) {
                let index = index.to_string();
                expand(word, &["methods", name, "settings", "argv", &index]);
            }
        }
    }
    for (name, settings) in campaign.table_files() {
        expand(&mut settings.table, &["methods", name, "settings", "table"]);
    }
    python_code::each_path(&mut campaign, |path, place| {
        if path.starts_with("~/") {
            expand(path, place);
        }
    });
    campaign
}

/// Campaign with absolute paths, such that it can be read from another folder and tasks can run in
/// folders of their own; relative paths that lead out of the campaign's folder are errors.
fn absolute_paths(loaded: &LoadedCampaign, base: &Path, diagnostics: &mut Diagnostics) -> Campaign {
    let mut campaign = loaded.campaign.clone();
    let mut absolute = |path: &mut String, place: Place| match below(base, path.as_ref()) {
        Ok(found) => *path = found.display().to_string(),
        Err(outside) => diagnostics.push(led_out(&outside).at(place)),
    };
    let source = &mut campaign.search_space.source;
    if source != super::source::QM9 {
        absolute(source, loaded.place(&["search_space", "source"]));
    }
    if let Some(cache) = &mut campaign.cache {
        absolute(cache, loaded.place(&["cache"]));
    }
    if let Some(program) = notified_program(&mut campaign).filter(|program| is_relative(program)) {
        absolute(program, loaded.place(&["notify", "command", "0"]));
    }
    for (name, method) in &mut campaign.methods {
        if let MethodKind::Simulate {
            engine: QcEngine::Command { settings },
            ..
        } = &mut method.kind
        {
            for (index, word) in settings.argv.iter_mut().enumerate() {
                if is_relative(word) {
                    let index = index.to_string();
                    let place = ["methods", name, "settings", "argv", &index];
                    absolute(word, loaded.place(&place));
                }
            }
        }
    }
    python_code::fill_in(&mut campaign, loaded, base, diagnostics);
    lookup_table::fill_in(&mut campaign, loaded, base, diagnostics);
    campaign
}

/// Returns the program that receives events of a run.
fn notified_program(campaign: &mut Campaign) -> Option<&mut String> {
    campaign.notify.as_mut()?.command.first_mut()
}

/// Returns true if a word of a command is a path below the campaign's folder.
fn is_relative(word: &str) -> bool {
    word.starts_with("./") || word.starts_with("../")
}

fn led_out(outside: &PathEscape) -> Diagnostic {
    Diagnostic::new(outside.to_string()).hint(PathEscape::HINT)
}

fn sorted(diagnostics: Diagnostics) -> Diagnostics {
    match diagnostics.or(()) {
        Ok(()) => Diagnostics::default(),
        Err(diagnostics) => diagnostics,
    }
}
