//! The gallery: each shipped campaign, and its pictures.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../docs/gallery.md");
const PICTURES: &str = include_str!("../../scripts/gallery-pictures");

fn names(folder: &str, end: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| Some(name.strip_suffix(end)?.to_owned()))
        .collect()
}

#[test]
fn every_shipped_campaign_is_in_the_gallery() {
    let campaigns = names("campaigns", ".yml");
    assert!(campaigns.len() > 10, "{campaigns:?}");
    for name in campaigns {
        let link = format!("(../campaigns/{name}.yml)");
        assert!(PAGE.contains(&link), "{name}");
    }
}

#[test]
fn every_picture_is_shown_and_made_by_the_script() {
    let pictures = names("docs/images/gallery", ".svg");
    assert!(pictures.len() > 10, "{pictures:?}");
    for name in pictures {
        let shown = format!("(images/gallery/{name}.svg)");
        assert!(PAGE.contains(&shown), "{name}");
        let campaign = name.strip_suffix("-best").unwrap_or(&name);
        let made = PICTURES
            .lines()
            .any(|line| line.starts_with(&format!("{campaign}|")));
        assert!(made, "{name}");
    }
}
