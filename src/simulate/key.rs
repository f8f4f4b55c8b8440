//! Key of a result in the cache: everything that an energy depends on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{MMFF94, Request};
use crate::host::hash::sha256;

/// Parts of the key by name: molecule, engine, level, every setting, the quantities that it returns
/// in this version of moldflow, seed of the embeddings, initial geometry, and the version of each
/// program or library in `versions`. Requests with equal parts have the same result.
pub(crate) fn key_parts(
    request: &Request,
    versions: &BTreeMap<String, String>,
) -> BTreeMap<String, Value> {
    let geometry = request.geometry.as_ref();
    let mut parts = BTreeMap::from([
        ("molecule".to_owned(), json!(request.smiles)),
        (
            "level".to_owned(),
            json!(request.engine.simulator().level(request.geometry_level())),
        ),
        ("embedding_seed".to_owned(), json!(request.seed)),
        (
            "quantities".to_owned(),
            json!(request.engine.quantities().keys().collect::<Vec<_>>()),
        ),
        (
            "geometry".to_owned(),
            json!(geometry.map_or(MMFF94.to_owned(), |given| sha256(&given.xyz))),
        ),
    ]);
    flatten(String::new(), &json!(request.engine), &mut parts);
    // The level has the hash of the code.
    parts.retain(|name, _| !name.starts_with("settings.code."));
    for (program, version) in versions {
        parts.insert(format!("version of {program}"), json!(version));
    }
    parts
}

/// Adds nested settings by their dotted names, so the order of settings does not matter.
fn flatten(name: String, value: &Value, parts: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(entries) if !entries.is_empty() || name.is_empty() => {
            for (key, value) in entries {
                let name = match name.as_str() {
                    "" => key.clone(),
                    name => format!("{name}.{key}"),
                };
                flatten(name, value, parts);
            }
        }
        value => drop(parts.insert(name, value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{CommandEngine, Gfn2, Nwchem, QcEngine, RelaxedGeometry};

    fn request(engine: QcEngine) -> Request {
        Request {
            smiles: "CO".into(),
            engine,
            seed: 42,
            geometry: None,
        }
    }

    fn parts(request: &Request) -> BTreeMap<String, Value> {
        key_parts(request, &BTreeMap::new())
    }

    #[test]
    fn every_setting_and_every_other_thing_that_matters_is_a_part() {
        let nwchem = |settings: Value| {
            let settings: Nwchem = serde_json::from_value(settings).unwrap();
            request(QcEngine::Nwchem { settings })
        };
        let plain = nwchem(json!({}));
        let mut others: Vec<BTreeMap<String, Value>> = [
            json!({"basis": "6-31G*"}),
            json!({"method": "b3lyp"}),
            json!({"functions": "spherical"}),
            json!({"task": "optimize"}),
            json!({"max_iterations": 7}),
            json!({"ranks_per_node": 2}),
        ]
        .into_iter()
        .map(|settings| parts(&nwchem(settings)))
        .collect();
        let mut other = plain.clone();
        other.smiles = "CN".into();
        others.push(parts(&other));
        let mut other = plain.clone();
        other.seed = 1;
        others.push(parts(&other));
        let mut other = plain.clone();
        other.geometry = Some(RelaxedGeometry {
            level_of_theory: MMFF94.into(),
            xyz: "1\n\nC 0 0 0\n".into(),
        });
        others.push(parts(&other));
        let settings = Gfn2::default();
        others.push(parts(&request(QcEngine::Gfn2 { settings })));
        let versions = BTreeMap::from([("nwchem".to_owned(), "7.0.2".to_owned())]);
        others.push(key_parts(&plain, &versions));
        for other in others {
            assert_ne!(parts(&plain), other);
        }
    }

    #[test]
    fn the_order_of_settings_does_not_matter() {
        let command = |settings: Value| {
            let text =
                json!({"argv": ["p"], "level": "l", "unit": "hartree", "settings": settings});
            let settings: CommandEngine = serde_json::from_value(text).unwrap();
            parts(&request(QcEngine::Command { settings }))
        };
        assert_eq!(
            command(json!({"a": {"x": 1, "y": []}, "b": {}})),
            command(json!({"b": {}, "a": {"y": [], "x": 1}}))
        );
    }
}
