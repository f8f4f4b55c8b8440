//! `moldflow export`: writes the results of a run for other programs.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::ExitStatus;
use super::terminal::{say, visible};
use crate::app::error::CommandError;
use crate::app::run_dir;
use crate::chem::Molecule;
use crate::host::atomic::{AtomicFile, Durability};
use crate::plan::Plan;
use crate::report::{self, Destination, ExportFormat, ExportSummary, ReportError};
use crate::store::Store;

#[derive(Args)]
pub(super) struct ExportArguments {
    /// Run directory
    #[arg(value_parser = super::path())]
    pub run_dir: PathBuf,
    /// Format
    #[arg(long, value_parser = formats(), default_value = "csv")]
    pub format: &'static ExportFormat,
    /// File to write, which appears once it is whole; `-` is stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
}

/// Parses the name of a format.
fn formats() -> impl TypedValueParser<Value = &'static ExportFormat> {
    let names = PossibleValuesParser::new(ExportFormat::names());
    names.try_map(|name| ExportFormat::of_name(&name).ok_or("no format has this name"))
}

pub(super) fn run(arguments: &ExportArguments) -> Result<ExitStatus, CommandError> {
    super::wait(write(arguments))
}

async fn write(arguments: &ExportArguments) -> Result<ExitStatus, CommandError> {
    let ExportArguments { format, out, .. } = arguments;
    let is_stdout = out.as_os_str() == "-";
    if is_stdout && format.is_binary && io::stdout().is_terminal() {
        let message = format!(
            "the format `{}` is for files, not for a terminal",
            format.name
        );
        let hint = format!("`--out FILE` writes a file: `--out run.{}`", format.name);
        return Err(CommandError::with_hint(message, hint));
    }
    let dir = run_dir::existing(&arguments.run_dir)?;
    let plan = match format.has_states {
        true => run_dir::load(&dir, &mut say)
            .await
            .ok()
            .map(|(_, plan)| plan),
        false => None,
    };
    let mut store = run_dir::open_to_read(&dir).await?;
    // All rows are of one moment.
    store.hold_still().await?;
    let summary = match is_stdout {
        true => to_stdout(&mut store, format, plan.as_ref()).await?,
        false => to_file(&mut store, format, plan.as_ref(), out).await?,
    };
    if !is_stdout || !summary.left_out.is_empty() {
        say(&sentence(&summary));
    }
    Ok(ExitStatus::Finished)
}

async fn to_file(
    store: &mut Store,
    format: &ExportFormat,
    plan: Option<&Plan>,
    path: &Path,
) -> Result<ExportSummary, CommandError> {
    let failed = |e| CommandError::io(&format!("could not write `{}`", path.display()), &e);
    let mut file = AtomicFile::create(path).map_err(failed)?;
    let summary = export(store, format, plan, &mut file).await?;
    file.commit(Durability::Synced).map_err(failed)?;
    Ok(summary)
}

async fn to_stdout(
    store: &mut Store,
    format: &ExportFormat,
    plan: Option<&Plan>,
) -> Result<ExportSummary, CommandError> {
    let mut stdout = BufWriter::new(io::stdout());
    let written = match format.is_binary {
        true => export(store, format, plan, &mut stdout).await,
        false => {
            let mut text = VisibleText {
                out: stdout,
                line: Vec::new(),
            };
            export(store, format, plan, &mut text).await
        }
    };
    match written {
        // The reader has seen enough: `export | head`.
        Err(ReportError::Write { source, .. }) if source.kind() == ErrorKind::BrokenPipe => {
            Ok(ExportSummary::default())
        }
        written => Ok(written?),
    }
}

async fn export(
    store: &mut Store,
    format: &ExportFormat,
    plan: Option<&Plan>,
    out: &mut Destination<'_>,
) -> Result<ExportSummary, ReportError> {
    let state = |method: &str, smiles: &str| {
        let engine = plan?.methods.get(method)?.qc_engine()?;
        let molecule = Molecule::parse(smiles).ok()?;
        engine.simulator().state_of(&molecule).ok()
    };
    report::export(store, format, &state, out).await
}

/// Text for a terminal or a pipe, without characters that steer a terminal.
struct VisibleText<W: Write> {
    out: W,
    /// Beginning of a line.
    line: Vec<u8>,
}

impl<W: Write> Write for VisibleText<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(part);
            if part.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.line);
                self.out.write_all(visible(&line).as_bytes())?;
                self.line.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// "12 molecules written, 3 left out: 2 not computed, 1 no geometry".
fn sentence(summary: &ExportSummary) -> String {
    let mut text = format!("{} molecules written", summary.written);
    let left_out: usize = summary.left_out.values().sum();
    if left_out > 0 {
        let reasons = summary.left_out.iter();
        let reasons: Vec<String> = reasons
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        text.push_str(&format!(", {left_out} left out: {}", reasons.join(", ")));
    }
    text
}
