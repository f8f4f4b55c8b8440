//! Texts that several layers read: templates with `{{name}}`, and paths that begin with `~/` or a
//! variable.

pub mod path;
pub mod template;
