//! Log of a run directory: `runtime.log` for people, and the same in `runtime.jsonl` for programs, one
//! JSON object a line.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use tracing_subscriber::registry::LookupSpan;

use super::error::CommandError;
use super::run_dir;

/// Writes what this process logs from now on to the log files of a run directory.
///
/// # Errors
///
/// Fails if a file cannot be opened.
pub fn start_log(dir: &Path) -> Result<(), CommandError> {
    let text = layer()
        .with_writer(Mutex::new(appended(&dir.join(run_dir::LOG))?))
        .with_ansi(false)
        // They would be printed to a terminal that may be gone.
        .log_internal_errors(false)
        .with_target(false);
    let lines = layer()
        .event_format(JsonLines)
        .with_writer(Mutex::new(appended(&dir.join(run_dir::LOG_LINES))?))
        .log_internal_errors(false);
    let log = registry().with(LevelFilter::INFO).with(text).with(lines);
    // A second call, in one process, keeps the first log.
    let _ = tracing::subscriber::set_global_default(log);
    Ok(())
}

/// Opens a log to add lines at its end; it is made if it is missing.
fn appended(path: &Path) -> Result<File, CommandError> {
    let log = OpenOptions::new().create(true).append(true).open(path);
    log.map_err(|e| CommandError::io(&format!("could not open `{}`", path.display()), &e))
}

/// Format of an event as a JSON object of `time`, `level`, `target`, `message` and `fields`. That of
/// tracing-subscriber would change features of crates that sqlx is built with.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.0.shift_remove("message");
        let metadata = event.metadata();
        let object = json!({
            "time": format!("{:.6}", jiff::Timestamp::now()),
            "level": metadata.level().as_str(),
            "target": metadata.target(),
            "message": message,
            "fields": fields.0,
        });
        writeln!(writer, "{object}")
    }
}

/// Fields of an event by their names.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }
}
