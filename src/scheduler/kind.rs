//! A scheduler by its key: `slurm`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Dialect, SCHEDULERS};

/// A scheduler of the registry. It dereferences to its table.
#[derive(Clone, Copy)]
pub struct SchedulerKind(&'static Dialect);

impl SchedulerKind {
    /// Returns all schedulers.
    pub fn all() -> impl Iterator<Item = Self> {
        SCHEDULERS.into_iter().map(Self)
    }

    /// Returns the scheduler with this key, if there is one.
    pub fn named(key: &str) -> Option<Self> {
        Self::all().find(|kind| kind.key == key)
    }

    /// Returns the table.
    pub fn dialect(self) -> &'static Dialect {
        self.0
    }
}

impl Deref for SchedulerKind {
    type Target = Dialect;

    fn deref(&self) -> &Dialect {
        self.0
    }
}

impl PartialEq for SchedulerKind {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for SchedulerKind {}

impl fmt::Debug for SchedulerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key)
    }
}

impl Serialize for SchedulerKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key)
    }
}

impl<'de> Deserialize<'de> for SchedulerKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = Cow::<str>::deserialize(deserializer)?;
        let unknown = || serde::de::Error::custom(format!("`{key}` is no scheduler"));
        Self::named(&key).ok_or_else(unknown)
    }
}

impl JsonSchema for SchedulerKind {
    fn schema_name() -> Cow<'static, str> {
        "Scheduler".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let keys: Vec<&str> = Self::all().map(|kind| kind.dialect().key).collect();
        json_schema!({"description": "A scheduler.", "type": "string", "enum": keys})
    }
}
