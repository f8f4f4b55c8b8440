//! Texts that several layers read: templates with `{{name}}`, paths that begin with `~/` or a
//! variable, and amounts of memory.

pub mod memory;
pub mod path;
pub mod template;
pub(crate) mod text_form;
