//! The printed schemas, compared with the shipped files and the parser.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use moldflow::config::schema;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// The file as an editor parses it; None if it is not YAML.
fn as_json(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).ok()?;
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(&text, options).ok()
}

/// Errors reported by an independent validator.
fn complaints(schema: &Value, instance: &Value) -> Vec<String> {
    let mut compiler = boon::Compiler::new();
    compiler
        .add_resource("schema.json", schema.clone())
        .unwrap();
    let mut schemas = boon::Schemas::new();
    let compiled = compiler.compile("schema.json", &mut schemas).unwrap();
    let found = schemas.validate(instance, compiled).err();
    found.map(|error| error.to_string()).into_iter().collect()
}

#[test]
fn every_shipped_campaign_fits_the_schema() {
    for path in yaml_files("campaigns") {
        let found = complaints(&schema::campaign_with_params(), &as_json(&path).unwrap());
        assert_eq!(found, [""; 0], "{}", path.display());
    }
}

#[test]
fn every_shipped_site_profile_fits_the_schema() {
    for path in yaml_files("site-profiles") {
        let found = complaints(&schema::site(), &as_json(&path).unwrap());
        assert_eq!(found, [""; 0], "{}", path.display());
    }
}

#[test]
fn the_shipped_schemas_are_those_that_the_program_prints() {
    let shipped = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let campaign = format!("{:#}\n", schema::campaign_with_params());
    assert!(
        shipped("campaigns/campaign.schema.json") == campaign,
        "run `moldflow schema campaign > campaigns/campaign.schema.json`"
    );
    let site = format!("{:#}\n", schema::site());
    assert!(
        shipped("site-profiles/site.schema.json") == site,
        "run `moldflow schema site > site-profiles/site.schema.json`"
    );
}

/// Bad campaigns with faults that a schema can express.
const STRUCTURAL: [&str; 32] = [
    "bad_basis",
    "bad_duration",
    "command_without_program",
    "faulty",
    "huge_number",
    "list_where_text_belongs",
    "missing_kind",
    "missing_required",
    "negative",
    "not_a_campaign",
    "null_value",
    "old_stages",
    "number_where_text_belongs",
    "out_of_bounds",
    "setting_of_another_engine",
    "several_faults",
    "text_where_block_belongs",
    "unknown_engine",
    "unknown_key",
    "unknown_kind",
    "unknown_loop",
    "unknown_setting",
    "unknown_top_level_key",
    "unquoted_param",
    "wrong_type",
    "empty",
    "only_comments",
    "not_finite",
    "duplicate_key",
    "stage_twice",
    "bad_retries",
    "deep",
];

#[test]
fn schema_and_parser_agree_on_the_bad_campaigns() {
    let schema = schema::campaign_with_params();
    for path in yaml_files("tests/bad") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        // Text that is not YAML, or not JSON, is not checked against a schema.
        let Some(instance) = as_json(&path) else {
            continue;
        };
        let found = complaints(&schema, &instance);
        assert_eq!(
            !found.is_empty(),
            STRUCTURAL.contains(&name),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn schema_and_parser_agree_on_the_bad_site_profiles() {
    let schema = schema::site();
    let fits = |name: &str| {
        complaints(
            &schema,
            &as_json(&root().join("tests/bad/sites").join(name)).unwrap(),
        )
        .is_empty()
    };
    assert!(!fits("faulty.yml"));
    // A schema does not check the names in a template.
    assert!(fits("launcher.yml"));
    // Nor relations between numbers.
    assert!(fits("partitions.yml"));
}

/// Keywords that `config` checks, and those that only inform.
const KNOWN: [&str; 22] = [
    "$ref",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "oneOf",
    "anyOf",
    "const",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "minItems",
    "maxItems",
    "minProperties",
    "format",
    "pattern",
    "description",
    "title",
    "default",
    "$schema",
];

#[test]
fn the_parser_knows_every_keyword_of_the_schemas() {
    for schema in [schema::campaign(), schema::site()] {
        let mut found = BTreeSet::new();
        keywords(&schema, &mut found);
        found.remove("$defs");
        let unknown: Vec<&String> = found
            .iter()
            .filter(|keyword| !KNOWN.contains(&keyword.as_str()))
            .collect();
        assert_eq!(unknown, [""; 0]);
    }
}

fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
    let Some(object) = schema.as_object() else {
        return;
    };
    for (keyword, value) in object {
        found.insert(keyword.clone());
        match keyword.as_str() {
            "properties" | "$defs" => value
                .as_object()
                .unwrap()
                .values()
                .for_each(|schema| keywords(schema, found)),
            "oneOf" | "anyOf" => value
                .as_array()
                .unwrap()
                .iter()
                .for_each(|schema| keywords(schema, found)),
            "items" | "additionalProperties" => keywords(value, found),
            _ => {}
        }
    }
}
