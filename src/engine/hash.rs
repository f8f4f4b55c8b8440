//! Maps and sets of the engine, with a hash that is faster than the standard library's. Nothing
//! depends on the order of their entries.

use std::collections;

use foldhash::fast::FixedState;

pub(super) type HashMap<K, V> = collections::HashMap<K, V, FixedState>;
pub(super) type HashSet<T> = collections::HashSet<T, FixedState>;
