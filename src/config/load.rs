//! Loading of a campaign file and its site profile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::campaign::{Campaign, MethodKind, Scalar, Schedule};
use super::fault::{Fault, Faults, Place, Text};
use super::overrides::SetOption;
use super::params;
use super::paths::{self, PathEscape};
use super::profiles::{self, Origin};
use super::site::Site;
use super::source::Source;
use super::tree::{self, TreeNode};
use super::{check, schema, walk};
use crate::host::hash;
use crate::simulate::QcEngine;

/// Changes that the command line makes to a campaign.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `KEY=VALUE`, KEY being a param or a dotted path.
    pub set: Vec<String>,
    pub seed: Option<u64>,
    pub schedule: Option<Schedule>,
    /// Name or path of a site profile.
    pub site: Option<String>,
    /// True if the molecules have been drawn already: the source need not exist any more.
    pub drawn: bool,
    /// True for the file of a run: keys that it lacks were not settings when it was written.
    pub resolved: bool,
}

/// A validated campaign and its site.
#[derive(Clone, Debug)]
pub struct LoadedCampaign {
    pub campaign: Campaign,
    /// With `auto` and `cores` replaced by what this host has.
    pub site: Site,
    pub site_origin: Origin,
    /// Values of the params, which `campaign` holds where they were referenced.
    pub params: BTreeMap<String, Scalar>,
    /// Source of molecules; none if they have been drawn already, or if the source has faults.
    pub source: Option<Arc<Source>>,
    tree: TreeNode,
    faulty: BTreeSet<String>,
}

impl LoadedCampaign {
    /// Hash of the campaign, its methods and its site: eight hexadecimal digits.
    pub fn hash(&self) -> String {
        let whole = serde_json::json!([self.campaign, self.site]);
        hash::hex(&hash::digest([whole.to_string().as_bytes()])[..4])
    }

    /// Place of a value, by its path; if it is not written, the place of its nearest parent.
    pub fn place(&self, path: &[&str]) -> Place {
        self.tree.find(path).clone()
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
/// All faults of the campaign, its site and its source.
pub fn load(path: &Path, overrides: &Overrides) -> Result<LoadedCampaign, Faults> {
    let (loaded, faults) = read(path, overrides)?;
    faults.or(loaded)
}

/// Does the same as [`load`], but returns a well-formed campaign together with its faults, such
/// that its stages can be checked as well.
///
/// # Errors
/// The faults of a campaign that is not well formed.
pub fn read(path: &Path, overrides: &Overrides) -> Result<(LoadedCampaign, Faults), Faults> {
    let text = Text::read(path)?;
    let mut faults = Faults::default();
    let Some(mut tree) = tree::parse(&text, &mut faults) else {
        return Err(faults);
    };
    let schema = schema::campaign();
    let top_level: Vec<&str> = schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(|all| all.keys())
        .map(String::as_str)
        .collect();
    let sets = sets(overrides, &mut faults);
    let params = params::resolve(&mut tree, &sets, &top_level, &mut faults);
    let entries = tree.entries().iter();
    let incomplete: Vec<String> = entries
        .filter(|(_, node)| node.is_incomplete())
        .map(|(key, _)| key.name.clone())
        .collect();
    walk::walk(&schema, &mut tree, &mut faults);

    let base = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut campaign = match serde_json::from_value::<Campaign>(tree.to_json()) {
        Ok(campaign) => at_home(campaign, &tree, &mut faults),
        Err(_) if !faults.is_empty() => return Err(sorted(faults)),
        Err(error) => return Err(Fault::new(error.to_string()).at(text.whole()).into()),
    };
    if !overrides.resolved {
        campaign.fill_in_defaults();
    }
    campaign.expand();
    let mut faulty = sections(&tree, &text, &faults);
    faulty.extend(incomplete);
    let (site, site_origin) = match site(&campaign, overrides, base) {
        Ok(site) => site,
        Err(found) => {
            let in_file = overrides.site.is_none();
            faults.extend(if in_file {
                found.named_at(tree.find(&["site"]))
            } else {
                found
            });
            return Err(sorted(faults));
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
    // The profile is kept beside the campaign: its name tells which it was.
    loaded.campaign.site = loaded.site.name.clone();
    let before = faults.0.len();
    let absolute = absolute_paths(&loaded, base, &mut faults);
    let inside = faults.0.len() == before;
    let source = check::check(&loaded, base, overrides.drawn || !inside, &mut faults);
    loaded.source = source.map(Arc::new);
    loaded.campaign = absolute;
    Ok((loaded, faults))
}

fn sets(overrides: &Overrides, faults: &mut Faults) -> Vec<SetOption> {
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
            Err(fault) => faults.push(fault),
        }
    }
    sets
}

/// Site profile. A path on the command line is relative to the working directory, one in a campaign
/// to the campaign's folder.
fn site(campaign: &Campaign, overrides: &Overrides, base: &Path) -> Result<(Site, Origin), Faults> {
    match &overrides.site {
        Some(path) if profiles::is_path(path) => profiles::file(&profiles::path(path)?),
        Some(name) => profiles::named(name, &profiles::search_path(base)),
        None if profiles::is_path(&campaign.site) => {
            let path = paths::below(base, campaign.site.as_ref());
            path.map_err(|outside| led_out(&outside))?;
            profiles::file(&base.join(&campaign.site))
        }
        None => profiles::named(&campaign.site, &profiles::search_path(base)),
    }
}

/// Top-level keys whose lines hold a fault; all keys if a fault is elsewhere.
fn sections(tree: &TreeNode, text: &Arc<Text>, faults: &Faults) -> BTreeSet<String> {
    let keys: Vec<(usize, &str)> = tree
        .entries()
        .iter()
        .map(|(key, _)| (key.place.line, key.name.as_str()))
        .collect();
    let mut faulty = BTreeSet::new();
    for fault in &faults.0 {
        let line = fault
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
fn at_home(mut campaign: Campaign, tree: &TreeNode, faults: &mut Faults) -> Campaign {
    let mut expand = |path: &mut String, place: &[&str]| match paths::expanded(path) {
        Ok(expanded) => *path = expanded,
        Err(error) => faults.push(Fault::from(error).at(tree.find(place).clone())),
    };
    expand(
        &mut campaign.search_space.source,
        &["search_space", "source"],
    );
    expand(&mut campaign.site, &["site"]);
    if let Some(cache) = &mut campaign.cache {
        expand(cache, &["cache"]);
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
    campaign
}

/// Campaign with absolute paths, such that it can be read from another folder and tasks can run in
/// folders of their own; relative paths that lead out of the campaign's folder are faults.
fn absolute_paths(loaded: &LoadedCampaign, base: &Path, faults: &mut Faults) -> Campaign {
    let mut campaign = loaded.campaign.clone();
    let mut absolute = |path: &mut String, place: Place| match paths::below(base, path.as_ref()) {
        Ok(found) => *path = found.display().to_string(),
        Err(outside) => faults.push(led_out(&outside).at(place)),
    };
    let source = &mut campaign.search_space.source;
    if source != super::source::QM9 {
        absolute(source, loaded.place(&["search_space", "source"]));
    }
    if let Some(cache) = &mut campaign.cache {
        absolute(cache, loaded.place(&["cache"]));
    }
    for (name, method) in &mut campaign.methods {
        if let MethodKind::Simulate {
            engine: QcEngine::Command { settings },
            ..
        } = &mut method.kind
        {
            for (index, word) in settings.argv.iter_mut().enumerate() {
                if word.starts_with("./") || word.starts_with("../") {
                    let index = index.to_string();
                    let place = ["methods", name, "settings", "argv", &index];
                    absolute(word, loaded.place(&place));
                }
            }
        }
    }
    campaign
}

fn led_out(outside: &PathEscape) -> Fault {
    Fault::new(outside.to_string()).hint(Some(PathEscape::HINT.into()))
}

fn sorted(faults: Faults) -> Faults {
    match faults.or(()) {
        Ok(()) => Faults::default(),
        Err(faults) => faults,
    }
}
