//! Check of settings against the ranges in their JSON Schema, so that each range is written once.

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::Value;

/// A setting outside its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}` is {value}, allowed is {allowed}")]
pub struct RangeFault {
    /// Name of the setting.
    pub setting: String,
    /// Its value, as JSON.
    pub value: String,
    /// Description of the allowed values.
    pub allowed: String,
}

/// Fields of the struct `settings` whose values its schema does not allow.
pub fn out_of_range<T: Serialize + JsonSchema>(settings: &T) -> Vec<RangeFault> {
    let schema = schema_for!(T);
    let (Some(Value::Object(properties)), Ok(Value::Object(values))) =
        (schema.get("properties"), serde_json::to_value(settings))
    else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    for (setting, value) in &values {
        let property = &properties[setting];
        let fault = |value: &Value, allowed: String| RangeFault {
            setting: setting.clone(),
            value: value.to_string(),
            allowed,
        };
        if let Value::Array(items) = value {
            let most = property["maxItems"].as_u64().unwrap_or(u64::MAX);
            if items.len() as u64 > most {
                faults.push(fault(value, format!("at most {most} items")));
            }
            let faulty = items
                .iter()
                .filter_map(|item| outside(&property["items"], item));
            faults.extend(faulty.map(|(item, allowed)| fault(item, allowed)));
        } else if let Some((value, allowed)) = outside(property, value) {
            faults.push(fault(value, allowed));
        }
    }
    faults
}

/// `value` and a description of its range, if the schema has a range and the value is not in it.
fn outside<'a>(schema: &Value, value: &'a Value) -> Option<(&'a Value, String)> {
    let least = schema["minimum"].as_f64()?;
    let most = schema["maximum"].as_f64()?;
    // Infinities and NaN are null in JSON.
    let inside = value
        .as_f64()
        .is_some_and(|value| (least..=most).contains(&value));
    (!inside).then(|| (value, format!("{least} to {most}")))
}
