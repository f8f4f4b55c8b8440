//! Backend of ratatui that writes escape codes of ECMA-48 to stdout, which all terminals of today
//! understand.

use std::fmt::Write as _;
use std::io::{self, Write};

use ratatui_core::backend::{Backend, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::{Color, Modifier};
use rustix::termios::tcgetwinsize;

/// Codes of the modifiers in use.
const MODIFIERS: [(Modifier, &str); 4] = [
    (Modifier::BOLD, ";1"),
    (Modifier::DIM, ";2"),
    (Modifier::UNDERLINED, ";4"),
    (Modifier::REVERSED, ";7"),
];

/// Writer of cells to stdout; what is drawn appears when it is flushed.
#[derive(Default)]
pub(super) struct AnsiBackend {
    text: String,
}

impl Backend for AnsiBackend {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut style = None;
        let mut next = None;
        for (x, y, cell) in content {
            if next != Some((x, y)) {
                let _ = write!(self.text, "\x1b[{};{}H", y + 1, x + 1);
            }
            let wanted = codes(cell);
            if style.as_ref() != Some(&wanted) {
                let _ = write!(self.text, "\x1b[0{wanted}m");
                style = Some(wanted);
            }
            self.text.push_str(cell.symbol());
            next = Some((x + 1, y));
        }
        self.text.push_str("\x1b[0m");
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.text.push_str("\x1b[?25l");
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.text.push_str("\x1b[?25h");
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        let _ = write!(self.text, "\x1b[{};{}H", y + 1, x + 1);
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.text.push_str(match region {
            ClearType::All => "\x1b[2J",
            ClearType::AfterCursor => "\x1b[J",
            ClearType::BeforeCursor => "\x1b[1J",
            ClearType::CurrentLine => "\x1b[2K",
            ClearType::UntilNewLine => "\x1b[K",
        });
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        let size = tcgetwinsize(io::stdout())?;
        Ok(Size::new(size.ws_col, size.ws_row))
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize {
            columns_rows: self.size()?,
            pixels: Size::ZERO,
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(self.text.as_bytes())?;
        self.text.clear();
        stdout.flush()
    }
}

/// Returns the codes of a cell's style, each with a semicolon before it.
fn codes(cell: &Cell) -> String {
    let modifiers = MODIFIERS.iter();
    let modifiers = modifiers.filter(|(modifier, _)| cell.modifier.contains(*modifier));
    let mut codes: String = modifiers.map(|(_, code)| *code).collect();
    codes.push_str(&colour(cell.fg, 30));
    codes.push_str(&colour(cell.bg, 40));
    codes
}

/// Returns the code of a colour, from `base` on; empty for that of the terminal.
fn colour(colour: Color, base: u8) -> String {
    let plain = match colour {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        // Others are not in the palette.
        _ => return String::new(),
    };
    format!(";{}", base + plain)
}
