//! The page of the documentation on an error: that of its topic, of the place in an input file, or of
//! the command.

use std::path::Path;

use crate::app::error::Topic;
use crate::config::diagnostic::Place;

/// Keys at the top of a campaign that have sections of their own in its page.
const SECTIONS: [&str; 8] = [
    "params",
    "properties",
    "objective",
    "constraints",
    "search_space",
    "methods",
    "stages",
    "stop",
];
/// Other keys at the top of a campaign.
const TOP_LEVEL: [&str; 5] = ["name", "seed", "site", "schedule", "cache"];

/// Page of each command that users call.
const COMMANDS: [(&str, &str); 21] = [
    ("check", "docs/campaigns.md"),
    ("clean", "docs/first-run.md#find-compare-and-clean-runs"),
    ("compare", "docs/search.md#comparing-policies"),
    ("completions", "README.md#commands"),
    ("diff", "docs/first-run.md#find-compare-and-clean-runs"),
    ("explain", "docs/first-run.md#ask-about-a-molecule"),
    ("export", "docs/results.md#export"),
    ("init", "docs/own-molecules.md"),
    ("man", "README.md#commands"),
    ("plan", "docs/scale.md#forecasts"),
    ("report", "docs/results.md#reporthtml"),
    ("resume", "docs/reliability.md#after-a-fault"),
    ("run", "docs/first-run.md#run-a-campaign"),
    ("runs", "docs/first-run.md#find-compare-and-clean-runs"),
    ("schema", "docs/campaigns.md"),
    ("show", "docs/first-run.md#ask-about-a-molecule"),
    ("simulate", "docs/scale.md#forecasts"),
    ("sites", "docs/sites.md"),
    ("status", "docs/watching.md"),
    (
        "submit",
        "docs/sites.md#the-second-way-one-allocation-split",
    ),
    ("top", "docs/watching.md#moldflow-top"),
];
/// Page of the rest of the command line.
const COMMAND_LINE: &str = "README.md#commands";

/// Commands that moldflow calls, whose errors it reads.
const INTERNAL: [&str; 2] = ["remote", "task"];

/// Returns the page of a command, by its name; None for one that moldflow calls.
pub(super) fn of_command(name: &str) -> Option<&'static str> {
    let known = COMMANDS.iter().find(|(command, _)| *command == name);
    let page = known.map_or(COMMAND_LINE, |(_, page)| page);
    (!INTERNAL.contains(&name)).then_some(page)
}

/// Returns the page of a topic.
pub(super) fn of_topic(topic: Topic) -> &'static str {
    match topic {
        Topic::Allocation => "docs/sites.md#the-second-way-one-allocation-split",
        Topic::Cache => "docs/campaigns.md#cache",
        Topic::Damage | Topic::HostFault => "docs/reliability.md#after-a-fault",
        Topic::Inheritance => "docs/campaigns.md#a-run-from-the-results-of-another",
        Topic::Python => "docs/python.md#what-can-go-wrong",
        Topic::RemoteHost => "docs/sites.md#over-ssh",
        Topic::RunDirectory => "docs/results.md#the-run-directory",
        Topic::SearchSpace => "docs/campaigns.md#search_space",
        Topic::Settings => "docs/campaigns.md#a-run-with-other-conditions",
        Topic::Site => "docs/sites.md",
        Topic::Version => "docs/database.md",
    }
}

/// Returns the page, with its section, on what stands at a place; None where no page fits.
pub(super) fn of_place(place: &Place) -> Option<String> {
    let name = &place.text.name;
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    if let Some("smi" | "csv" | "tsv") = extension {
        return Some("docs/campaigns.md#files-of-molecules".to_owned());
    }
    let is_profile = |line: &str| line.starts_with("partitions:") || line.starts_with("recognise:");
    if place.text.text.lines().any(is_profile) {
        return Some("docs/sites.md".to_owned());
    }
    let key = match name.starts_with("--") {
        true => place.line_text().split(['.', '=']).next(),
        false => top_key(place),
    }?;
    let word = key.trim();
    match word {
        "notify" => Some("docs/watching.md#notifications".to_owned()),
        _ if SECTIONS.contains(&word) => Some(format!("docs/campaigns.md#{word}")),
        _ if TOP_LEVEL.contains(&word) => Some("docs/campaigns.md#top-level".to_owned()),
        // The name of a param.
        _ if name == "--set" => Some("docs/campaigns.md#params".to_owned()),
        _ => None,
    }
}

/// The key at the top of a YAML file in whose value a place lies.
fn top_key(place: &Place) -> Option<&str> {
    let lines: Vec<&str> = place.text.text.lines().take(place.line).collect();
    let is_key = |line: &&str| line.starts_with(|c: char| c.is_ascii_alphabetic());
    let line = lines.into_iter().rfind(is_key)?;
    line.split_once(':').map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use clap::CommandFactory;

    use super::*;

    /// Returns the anchors of the headings of a page, as mdBook and GitHub make them.
    fn anchors(page: &str) -> BTreeSet<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{page}: {e}"));
        let headings = text.lines().filter(|line| line.starts_with('#'));
        let anchor = |heading: &str| -> String {
            let words = heading.trim_start_matches('#').trim().to_lowercase();
            let letters = words.chars().map(|c| if c == ' ' { '-' } else { c });
            letters
                .filter(|c| c.is_alphanumeric() || "-_".contains(*c))
                .collect()
        };
        headings.map(anchor).collect()
    }

    fn assert_exists(page: &str) {
        let (file, anchor) = page.split_once('#').unwrap_or((page, ""));
        let anchors = anchors(file);
        assert!(
            anchor.is_empty() || anchors.contains(anchor),
            "{page}: {anchors:?}"
        );
    }

    #[test]
    fn every_section_of_a_campaign_has_its_heading() {
        for key in SECTIONS {
            assert_exists(&format!("docs/campaigns.md#{key}"));
        }
        assert_exists("docs/campaigns.md#top-level");
        assert_exists("docs/campaigns.md#files-of-molecules");
        assert_exists("docs/watching.md#notifications");
    }

    #[test]
    fn every_topic_has_a_page() {
        let topics = Topic::ALL.map(|topic| format!("{topic:?}"));
        assert_eq!(
            BTreeSet::from(topics).len(),
            Topic::ALL.len(),
            "each topic once"
        );
        for topic in Topic::ALL {
            assert_exists(of_topic(topic));
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let program = crate::cli::CommandLine::command();
        let commands = program
            .get_subcommands()
            .map(|command| command.get_name().to_owned());
        let known = COMMANDS.map(|(command, _)| command.to_owned());
        let known = known.into_iter().chain(INTERNAL.map(str::to_owned));
        assert_eq!(commands.collect::<BTreeSet<_>>(), known.collect());
        for (_, page) in COMMANDS {
            assert_exists(page);
        }
        assert_exists(of_command("no command").expect("a page"));
        assert_eq!(of_command("task"), None);
    }
}
