//! Reports of a run: table of the best molecules, exports, record files, and a page.

pub mod axis;
pub mod chart;
mod charts;
mod cost;
mod export;
#[cfg(test)]
pub(crate) mod fixtures;
mod json;
mod molecules;
mod page;
mod places;
mod records;
mod script;
mod slots;
mod table;
mod verdict;
mod view;
mod working_time;

pub(crate) use export::{Destination, ExportFormat, ExportSummary, export};
pub use json::RunState;
pub(crate) use json::{BusySlots, best_json, final_json, status_json};
pub(crate) use page::FILE;
pub use page::{PageContext, RunOrigin, page};
pub(crate) use records::{write_page, write_records};
pub(crate) use table::{best_table, kinds, named, predicted, status_text};
pub use verdict::verdict;

/// Reason for which a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// A file could not be written.
    #[error("could not write `{what}`")]
    Write {
        /// Path or description of the file.
        what: String,
        /// Error of the system.
        #[source]
        source: std::io::Error,
    },
    /// The template of the page does not fit its data.
    #[error("the template of the report is broken")]
    Template(#[from] Box<handlebars::RenderError>),
}

/// Timestamp in UTC, ISO 8601, of a time in milliseconds since the Unix epoch; empty if out of
/// range.
pub(crate) fn timestamp(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| String::new(), |t| format!("{t:.3}"))
}
