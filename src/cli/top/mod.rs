//! `moldflow top`: watches a run in the terminal. It reads the run directory only, any number at once,
//! while the run is at work and afterwards.

mod backend;
mod best;
mod failures;
mod head;
mod help;
mod keys;
mod queue;
mod screen;
mod search;
mod slots;
mod style;
mod terminal;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::terminal::Terminal;
use ratatui_core::text::Span;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::terminal::{is_dumb, print, say};
use super::{ExitStatus, wait};
use crate::app::error::CommandError;
use crate::app::monitor::Monitor;
use crate::app::signals;
use backend::AnsiBackend;
use screen::Screen;
use style::Palette;
use terminal::RawTerminal;

/// Time between two looks at the run.
const TICK: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(super) struct TopArguments {
    /// Run directory
    #[arg(value_parser = super::path())]
    pub run_dir: PathBuf,
    /// Print one picture and leave; without colours, also where there is no terminal
    #[arg(long)]
    pub once: bool,
    /// Columns and rows of that picture
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "100x40", value_parser = size, requires = "once")]
    pub size: (u16, u16),
}

/// Reads `100x40`.
fn size(text: &str) -> Result<(u16, u16), String> {
    let read = |text: &str| {
        text.parse()
            .ok()
            .filter(|number| (1..=1000).contains(number))
    };
    let size = text.split_once('x');
    let size = size.and_then(|(columns, rows)| read(columns).zip(read(rows)));
    size.ok_or_else(|| "give columns and rows, each of 1 to 1000: `100x40`".to_owned())
}

pub(super) fn run(arguments: &TopArguments) -> Result<ExitStatus, CommandError> {
    if arguments.once {
        return wait(print_once(arguments));
    }
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() || is_dumb() {
        return Err(CommandError::with_hint(
            "`moldflow top` needs a terminal that can move its cursor".to_owned(),
            "`--once` prints one picture, `moldflow status` the counts",
        ));
    }
    wait(watch(arguments))
}

/// Prints one picture of the run.
async fn print_once(arguments: &TopArguments) -> Result<ExitStatus, CommandError> {
    let monitor = Monitor::open(&arguments.run_dir, &mut say).await?;
    let (columns, rows) = arguments.size;
    let area = Rect::new(0, 0, columns, rows);
    let mut buffer = Buffer::empty(area);
    Screen::new(Palette::from_environment()).draw(monitor.view(), area, &mut buffer);
    print(&text(&buffer))?;
    Ok(ExitStatus::Finished)
}

/// Returns the lines of a picture, without blanks at their ends.
fn text(buffer: &Buffer) -> String {
    let rows = buffer.content().chunks(usize::from(buffer.area.width));
    let lines = rows.map(|cells| {
        let mut line = String::new();
        // A letter of two columns has an empty cell behind it.
        let mut covered = 0;
        for cell in cells {
            if covered == 0 {
                line.push_str(cell.symbol());
                covered = Span::raw(cell.symbol()).width();
            }
            covered = covered.saturating_sub(1);
        }
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

/// Draws the run each second until the user quits.
async fn watch(arguments: &TopArguments) -> Result<ExitStatus, CommandError> {
    let mut monitor = Monitor::open(&arguments.run_dir, &mut say).await?;
    let mut interrupts = signals::interrupts()?;
    let failed = |e: io::Error| CommandError::io("could not use the terminal", &e);
    let raw = RawTerminal::enter().map_err(failed)?;
    let ended = draw_until_end(&mut monitor, &mut interrupts).await;
    drop(raw);
    ended.map_err(failed)
}

/// Returns the message of an error, without its place and hint.
fn first_message(error: &CommandError) -> String {
    let first = error.diagnostics().0.first();
    first.map_or_else(String::new, |diagnostic| diagnostic.message.clone())
}

async fn draw_until_end(
    monitor: &mut Monitor,
    interrupts: &mut watch::Receiver<u32>,
) -> io::Result<ExitStatus> {
    let mut terminal = Terminal::new(AnsiBackend::default())?;
    let mut screen = Screen::new(Palette::from_environment());
    let mut keys = terminal::keys()?;
    let mut resized = signal(SignalKind::window_change())?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                // The run may be moved or deleted, and come back.
                let looked = monitor.look().await;
                screen.trouble = looked.err().map(|error| first_message(&error));
            }
            Some(key) = keys.recv() => {
                if !screen.press(key) {
                    return Ok(ExitStatus::Finished);
                }
            }
            _ = resized.recv() => {}
            Ok(()) = interrupts.changed() => return Ok(ExitStatus::Interrupted),
        }
        terminal.draw(|frame| {
            let area = frame.area();
            screen.draw(monitor.view(), area, frame.buffer_mut());
        })?;
    }
}
