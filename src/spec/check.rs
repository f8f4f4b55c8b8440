//! What a schema cannot say of a campaign: that what it names exists, and that it fits together.

use std::path::Path;

use super::campaign::{Loaded, MethodKind};
use super::fault::{Fault, Faults, hint_for};
use super::source;
use super::space::ELEMENTS;
use crate::simulate;

/// Collects the faults of a well-formed campaign, but for those of its stages, which `plan` finds.
///
/// The source is opened unless `drawn` says that its molecules have been drawn already.
pub fn check(loaded: &Loaded, base: &Path, drawn: bool, faults: &mut Faults) {
    if loaded.is_sound("methods") {
        methods(loaded, faults);
    }
    if loaded.is_sound("search_space") && elements(loaded, faults) && !drawn {
        source(loaded, base, faults);
    }
}

fn source(loaded: &Loaded, base: &Path, faults: &mut Faults) {
    let place = loaded.place(&["search_space", "source"]);
    let source = match source::open(&loaded.campaign, base) {
        Ok(source) => source,
        Err(found) => return faults.extend(found.named_at(&place)),
    };
    if !loaded.is_sound("stages") {
        return;
    }
    for (name, stage) in &loaded.campaign.stages {
        // Counted no further than needed.
        let Some(count) = stage
            .count
            .filter(|count| source.candidates().nth(count - 1).is_none())
        else {
            continue;
        };
        let held = source.candidates().count();
        let message = format!(
            "the stage `{name}` draws {count} molecules, but the source has {held} in the search space"
        );
        let place = loaded.place(&["stages", name, "count"]);
        faults.push(
            Fault::new(message)
                .at(place)
                .hint(Some("lower the count, or widen the search space".into())),
        );
    }
}

fn methods(loaded: &Loaded, faults: &mut Faults) {
    for (name, method) in &loaded.campaign.methods {
        let place = |key| loaded.place(&["methods", name, key]);
        let partitions = loaded.site.partitions.keys().map(String::as_str);
        if !loaded.site.partitions.contains_key(&method.partition) {
            let message = format!(
                "the site `{}` has no partition `{}`",
                loaded.site.name, method.partition
            );
            faults.push(
                Fault::new(message)
                    .at(place("partition"))
                    .hint(hint_for(&method.partition, partitions)),
            );
        }
        if method.topic != method.kind.topic() {
            let (kind, topic) = (method.kind.name(), method.kind.topic().name());
            let message = format!(
                "the method `{name}` has the topic `{}`, but a `{kind}` method answers to `{topic}`",
                method.topic.name()
            );
            faults.push(
                Fault::new(message)
                    .at(place("topic"))
                    .hint(Some(format!("write `topic: {topic}`"))),
            );
        }
        if let MethodKind::Generate { settings } = &method.kind {
            for found in settings.faults() {
                let message = format!("`{}` is {}", found.setting, found.value);
                let place = loaded.place(&["methods", name, "settings", &found.setting]);
                faults.push(
                    Fault::new(message)
                        .at(place)
                        .hint(Some(format!("allowed is {}", found.allowed))),
                );
            }
        }
        if let MethodKind::Simulate { engine, .. } = &method.kind {
            let engines = simulate::names();
            if !engines.contains(&engine.as_str()) {
                let message = format!("there is no simulation engine `{engine}`");
                faults.push(
                    Fault::new(message)
                        .at(place("engine"))
                        .hint(hint_for(engine, engines.iter().copied())),
                );
            }
        }
    }
}

/// Whether all elements are known.
fn elements(loaded: &Loaded, faults: &mut Faults) -> bool {
    let before = faults.0.len();
    let elements = &loaded.campaign.search_space.elements;
    for (index, element) in elements.iter().enumerate() {
        let place = loaded.place(&["search_space", "elements", &index.to_string()]);
        let fault =
            |message: String, hint: String| Fault::new(message).at(place.clone()).hint(Some(hint));
        if element == "H" {
            faults.push(fault(
                "hydrogen is implied and not listed".into(),
                "remove `H`".into(),
            ));
        } else if !ELEMENTS.contains(&element.as_str()) {
            let known = ELEMENTS.map(|known| format!("`{known}`")).join(", ");
            faults.push(fault(
                format!("`{element}` is no element that moldflow can build with"),
                format!("it knows {known}"),
            ));
        } else if elements[..index].contains(element) {
            faults.push(fault(
                format!("`{element}` is listed twice"),
                "remove one of the two".into(),
            ));
        }
    }
    faults.0.len() == before
}
