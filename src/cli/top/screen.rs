//! Picture of a run: a head, five panels, and what the user has chosen to see.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Constraint, Layout, Rect};
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget;
use ratatui_widgets::block::Block;
use ratatui_widgets::clear::Clear;
use ratatui_widgets::paragraph::{Paragraph, Wrap};

use super::keys::Key;
use super::style::Palette;
use super::{best, failures, head, help, queue, search, slots};
use crate::app::monitor::RunView;
use crate::cli::terminal::visible;

/// Smallest terminal that all panels fit into.
const LEAST: (u16, u16) = (80, 24);
/// Width from which the lower panels are beside each other.
const WIDE: u16 = 140;
/// Lines by which a page key scrolls.
const PAGE: usize = 10;

/// Panels, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panel {
    Search,
    Slots,
    Best,
    Queue,
    Failures,
}

impl Panel {
    const ALL: [Self; 5] = [
        Self::Search,
        Self::Slots,
        Self::Best,
        Self::Queue,
        Self::Failures,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Search => "objective",
            Self::Slots => "slots",
            Self::Best => "best molecules",
            Self::Queue => "queue",
            Self::Failures => "failures",
        }
    }

    /// Returns the panel so many places further.
    fn further(self, places: usize) -> Self {
        Self::ALL[(self as usize + places) % Self::ALL.len()]
    }
}

/// What the user has chosen to see.
pub(super) struct Screen {
    palette: Palette,
    /// Panel that the arrows scroll.
    focus: Panel,
    /// True if the panel with the focus has the whole screen.
    is_alone: bool,
    has_help: bool,
    /// First row that each panel shows.
    scrolled: [usize; Panel::ALL.len()],
    /// Reason for which the run could not be read again.
    pub trouble: Option<String>,
}

/// Place of a panel, and what it needs besides the run.
#[derive(Clone, Copy)]
pub(super) struct PanelContext {
    /// Area inside of its border.
    pub area: Rect,
    pub palette: Palette,
    /// First row that is shown.
    pub scrolled: usize,
    /// True if it has the whole screen.
    pub is_alone: bool,
}

impl Screen {
    pub fn new(palette: Palette) -> Self {
        Self {
            palette,
            focus: Panel::Search,
            is_alone: false,
            has_help: false,
            scrolled: [0; Panel::ALL.len()],
            trouble: None,
        }
    }

    /// Does what a key asks for; returns false if that is to quit.
    pub fn press(&mut self, key: Key) -> bool {
        let scrolled = &mut self.scrolled[self.focus as usize];
        match key {
            Key::Char('q') | Key::Interrupt => return false,
            Key::Char('?' | 'h') => self.has_help = !self.has_help,
            Key::Escape if self.has_help => self.has_help = false,
            Key::Escape | Key::Char('0') => self.is_alone = false,
            Key::Enter => self.is_alone = !self.is_alone,
            Key::Tab => self.focus = self.focus.further(1),
            Key::BackTab => self.focus = self.focus.further(Panel::ALL.len() - 1),
            Key::Down | Key::Char('j') => *scrolled += 1,
            Key::Up | Key::Char('k') => *scrolled = scrolled.saturating_sub(1),
            Key::PageDown => *scrolled += PAGE,
            Key::PageUp => *scrolled = scrolled.saturating_sub(PAGE),
            Key::Char(digit @ '1'..='5') => {
                self.focus = Panel::ALL[digit as usize - '1' as usize];
                self.is_alone = true;
            }
            Key::Char(_) => {}
        }
        true
    }

    /// Draws the run.
    pub fn draw(&mut self, view: &RunView, area: Rect, buffer: &mut Buffer) {
        if area.width < LEAST.0 || area.height < LEAST.1 {
            let (width, height) = LEAST;
            let text = format!(
                "{width} x {height} are needed: {} x {} cells are too few; q quits",
                area.width, area.height
            );
            let text = Paragraph::new(text).wrap(Wrap { trim: true });
            return text.render(area, buffer);
        }
        self.bound_scrolling(view);
        let rows = [
            Constraint::Length(head::lines(view, area.width, self.palette).len() as u16),
            Constraint::Min(0),
            Constraint::Length(1),
        ];
        let [top, middle, bottom] = Layout::vertical(rows).areas(area);
        head::draw(view, top, self.palette, buffer);
        match self.is_alone {
            true => self.draw_panel(self.focus, view, middle, buffer),
            false => {
                for (panel, place) in Panel::ALL.into_iter().zip(overview(middle)) {
                    self.draw_panel(panel, view, place, buffer);
                }
            }
        }
        self.foot().render(bottom, buffer);
        if self.has_help {
            let place = help::place(middle);
            Clear.render(place, buffer);
            help::draw(place, self.palette, buffer);
        }
    }

    /// Keeps the last row of each list in sight.
    fn bound_scrolling(&mut self, view: &RunView) {
        let lengths = [
            0,
            slots::length(view),
            view.best.len(),
            view.queue.len(),
            failures::length(view, self.is_alone),
        ];
        for (scrolled, length) in self.scrolled.iter_mut().zip(lengths) {
            *scrolled = (*scrolled).min(length.saturating_sub(1));
        }
    }

    fn draw_panel(&self, panel: Panel, view: &RunView, area: Rect, buffer: &mut Buffer) {
        let has_focus = panel == self.focus;
        let title = format!(" {} {} ", panel as usize + 1, panel.name());
        let style = match has_focus {
            true => self.palette.focus(),
            false => self.palette.dim(),
        };
        let block = Block::bordered().title(title).border_style(style);
        let context = PanelContext {
            area: block.inner(area),
            palette: self.palette,
            scrolled: self.scrolled[panel as usize],
            is_alone: self.is_alone,
        };
        block.render(area, buffer);
        match panel {
            Panel::Search => search::draw(view, context, buffer),
            Panel::Slots => slots::draw(view, context, buffer),
            Panel::Best => best::draw(view, context, buffer),
            Panel::Queue => queue::draw(view, context, buffer),
            Panel::Failures => failures::draw(view, context, buffer),
        }
    }

    fn foot(&self) -> Line<'static> {
        if let Some(trouble) = &self.trouble {
            return Line::from(visible(trouble)).style(self.palette.failure());
        }
        let keys = [
            ("q", "quit"),
            ("Tab", "next panel"),
            ("1-5", "one panel"),
            ("0", "all panels"),
            ("↑↓", "scroll"),
            ("?", "help"),
        ];
        let words = keys.into_iter().flat_map(|(key, does)| {
            [
                Span::styled(format!(" {key}"), self.palette.bold()),
                Span::raw(format!(" {does} ")),
            ]
        });
        Line::from(words.collect::<Vec<_>>())
    }
}

/// Returns the places of the panels, all in one picture.
fn overview(area: Rect) -> [Rect; 5] {
    let halves = [Constraint::Percentage(48), Constraint::Min(0)];
    let [upper, lower] = Layout::vertical(halves).areas(area);
    let sides = [Constraint::Percentage(60), Constraint::Min(0)];
    let [search, slots] = Layout::horizontal(sides).areas(upper);
    if area.width >= WIDE {
        let thirds = [
            Constraint::Percentage(45),
            Constraint::Percentage(25),
            Constraint::Min(0),
        ];
        let [best, queue, failures] = Layout::horizontal(thirds).areas(lower);
        return [search, slots, best, queue, failures];
    }
    let [best, right] = Layout::horizontal(sides).areas(lower);
    let halves = [Constraint::Percentage(45), Constraint::Min(0)];
    let [queue, failures] = Layout::vertical(halves).areas(right);
    [search, slots, best, queue, failures]
}
