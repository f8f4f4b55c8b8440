//! The page of the documentation that explains a place in an input file.

use std::path::Path;

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
/// Returns the page, with its section, on what stands at a place; None where no page fits.
pub(super) fn page(place: &Place) -> Option<String> {
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
    use super::*;

    #[test]
    fn every_page_and_its_section_exist() {
        let campaigns = include_str!("../../docs/campaigns.md");
        let has = |heading: &str| campaigns.lines().any(|line| line == heading);
        for section in SECTIONS {
            assert!(has(&format!("## `{section}`")), "{section}");
        }
        assert!(has("## Top level") && has("### Files of molecules"));
        assert!(include_str!("../../docs/sites.md").contains("`partitions`"));
    }
}
