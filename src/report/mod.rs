//! Reports of a run: table of the best molecules, exports, record files, and a page.

pub mod axis;
pub mod chart;
mod export;
mod figures;
mod json;
mod page;
mod places;
mod records;
mod table;

pub use export::{ExportFormat, export};
pub use json::{RunState, SlotUse, final_json, status_json};
pub use page::{FILE, PageContext, page};
pub use records::{write_page, write_records};
pub use table::{best_table, kinds, named, status_text};

/// Files that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error("could not write `{what}`")]
    Write {
        what: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the template of the report is broken")]
    Template(#[from] Box<handlebars::RenderError>),
}

/// Milliseconds since the Unix epoch as a timestamp in UTC, ISO 8601.
pub fn timestamp(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| String::new(), |t| format!("{t:.3}"))
}
