//! The JSON Schemas of campaigns and site profiles, derived from their types.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::campaign::Campaign;
use super::site::Site;

/// Pattern of a `{{param}}`, for editors.
const REFERENCE: &str = r"\{\{\s*[A-Za-z_][A-Za-z0-9_]*\s*\}\}";

/// Returns the schema of a campaign whose `{{param}}`s are replaced.
pub fn campaign() -> Value {
    of::<Campaign>()
}

/// Returns the schema of a site profile.
pub fn site() -> Value {
    of::<Site>()
}

/// Returns the schema of a campaign as users write it: every value may also be a `{{param}}`.
pub fn campaign_with_params() -> Value {
    let mut schema = campaign();
    let params = schema["properties"]["params"].take();
    let parameter_types = ["Param", "BoundedParam", "Scalar"];
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.values_mut().for_each(admit_reference);
    }
    if let Some(definitions) = schema["$defs"].as_object_mut() {
        let others = definitions
            .iter_mut()
            .filter(|(name, _)| !parameter_types.contains(&name.as_str()));
        others.for_each(|(_, definition)| admit_reference(definition));
    }
    schema["properties"]["params"] = params;
    schema
}

/// Returns the schema of a type of this layer.
pub fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with_transform(WholeVariants)
        .with_transform(TypeMaxima)
        .with_transform(UnwrappedDescriptions);
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// Gives each variant of a flattened, tagged enum the keys beside it, such that a
/// variant lists all known and all required keys.
#[derive(Clone, Debug)]
struct WholeVariants;

impl Transform for WholeVariants {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            push_down(object);
        }
        transform_subschemas(self, schema);
    }
}

/// Joins the lines of each paragraph of a description, which the source code breaks.
#[derive(Clone, Debug)]
struct UnwrappedDescriptions;

impl Transform for UnwrappedDescriptions {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            let paragraphs = text.split("\n\n").map(|lines| lines.replace('\n', " "));
            *text = paragraphs.collect::<Vec<_>>().join("\n\n");
        }
        schemars::transform::transform_subschemas(self, schema);
    }
}

/// Gives each whole number without a maximum that of its type.
#[derive(Clone, Debug)]
struct TypeMaxima;

impl Transform for TypeMaxima {
    fn transform(&mut self, schema: &mut Schema) {
        let limit = match schema.get("format").and_then(Value::as_str) {
            Some("uint32") => Some(json!(u32::MAX)),
            Some("uint" | "uint64") => Some(json!(u64::MAX)),
            Some("int64") => Some(json!(i64::MAX)),
            _ => None,
        };
        if let (Some(limit), None) = (limit, schema.get("maximum")) {
            schema.insert("maximum".into(), limit);
        }
        transform_subschemas(self, schema);
    }
}

fn push_down(object: &mut Map<String, Value>) {
    if !(object.contains_key("oneOf") && object.contains_key("properties")) {
        return;
    }
    let shared = object.remove("properties").unwrap_or_default();
    let required = object.remove("required").unwrap_or_default();
    object.remove("unevaluatedProperties");
    object.remove("additionalProperties");
    let variants = object.get_mut("oneOf").and_then(Value::as_array_mut);
    for variant in variants
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        variant.insert("additionalProperties".into(), false.into());
        if let (Some(properties), Some(shared)) =
            (object_of(variant, "properties"), shared.as_object())
        {
            properties.extend(shared.clone());
        }
        let names = variant.entry("required").or_insert_with(|| json!([]));
        if let (Some(names), Some(shared)) = (names.as_array_mut(), required.as_array()) {
            names.extend(shared.clone());
        }
    }
}

fn object_of<'a>(
    object: &'a mut Map<String, Value>,
    key: &str,
) -> Option<&'a mut Map<String, Value>> {
    object
        .entry(key)
        .or_insert_with(|| json!({}))
        .as_object_mut()
}

/// Lets every scalar inside also be a `{{param}}`.
fn admit_reference(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    for key in ["properties", "additionalProperties", "items"] {
        match object.get_mut(key) {
            Some(Value::Object(inner)) if key == "properties" => {
                inner.values_mut().for_each(admit_reference)
            }
            Some(inner) => admit_reference(inner),
            None => {}
        }
    }
    let choices = ["oneOf", "anyOf"]
        .into_iter()
        .filter_map(|key| object.get(key))
        .flat_map(Value::as_array);
    let tagged = choices
        .clone()
        .flatten()
        .any(|choice| choice.get("properties").or(choice.get("oneOf")).is_some());
    for key in ["oneOf", "anyOf"] {
        if let (true, Some(choices)) = (tagged, object.get_mut(key).and_then(Value::as_array_mut)) {
            choices.iter_mut().for_each(admit_reference);
        }
    }
    let words = choices_are_words(object);
    let scalar = match object.get("type") {
        Some(Value::String(name)) => is_scalar(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is_scalar),
        _ => false,
    };
    // A free text takes a `{{param}}` as it is.
    let free = object.get("type") == Some(&json!("string"))
        && !object.contains_key("enum")
        && !object.contains_key("pattern");
    if (words || scalar && !free) && !object.contains_key("const") {
        let description = object.remove("description");
        let default = object.remove("default");
        let strict = std::mem::take(object);
        object.extend(description.map(|text| ("description".to_owned(), text)));
        object.extend(default.map(|value| ("default".to_owned(), value)));
        object.insert(
            "anyOf".into(),
            json!([strict, {"type": "string", "pattern": REFERENCE}]),
        );
    }
}

fn is_scalar(name: &str) -> bool {
    matches!(name, "integer" | "number" | "boolean" | "string")
}

/// Returns true if a schema is a choice of words: an enum whose variants have descriptions.
fn choices_are_words(object: &Map<String, Value>) -> bool {
    let choices = object.get("oneOf").and_then(Value::as_array);
    choices.is_some_and(|choices| choices.iter().all(|choice| choice.get("const").is_some()))
}
