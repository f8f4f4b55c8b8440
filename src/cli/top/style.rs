//! Styles of `moldflow top`; without colours where the user wants none.

use ratatui_core::style::{Color, Modifier, Style};

use crate::cli::terminal::wants_colours;

/// Styles by their meaning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    has_colours: bool,
}

impl Palette {
    /// Returns the palette with colours or without.
    pub fn new(has_colours: bool) -> Self {
        Self { has_colours }
    }

    /// Returns the palette; without colours if `NO_COLOR` is set.
    pub fn from_environment() -> Self {
        Self::new(wants_colours())
    }

    fn coloured(self, colour: Color) -> Style {
        match self.has_colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    /// Headings and the best molecule.
    pub fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Less important words.
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Border of the panel that has the focus.
    pub fn focus(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Evaluated molecules.
    pub fn value(self) -> Style {
        self.coloured(Color::Blue)
    }

    /// The best so far.
    pub fn best(self) -> Style {
        self.coloured(Color::Green)
    }

    /// Failures.
    pub fn failure(self) -> Style {
        self.coloured(Color::Red)
    }

    /// Slots that compute.
    pub fn simulation(self) -> Style {
        self.coloured(Color::Cyan)
    }

    /// Slots that learn.
    pub fn learning(self) -> Style {
        self.coloured(Color::Magenta)
    }
}
