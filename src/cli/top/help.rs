//! Help: the keys, and what the panels show.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::text::Line;
use ratatui_core::widgets::Widget;
use ratatui_widgets::block::Block;
use ratatui_widgets::paragraph::Paragraph;

use super::style::Palette;

const TEXT: &str = "\
q, Ctrl-C       quit; the run goes on
Tab, Shift-Tab  next or previous panel
1 2 3 4 5       one panel alone
0, Esc          all panels
Enter           the chosen panel alone, or all
Up, Down, PgUp, PgDn
                scroll the chosen panel

objective  dots: evaluations; line: the best so far;
           blocks at the foot: failures
slots      busy slots from the start until now
queue      the newest batch first, the best rank first
failures   alone, the panel shows the whole messages";

/// Returns the place of the help within an area.
pub(super) fn place(area: Rect) -> Rect {
    let width = area.width.min(60);
    let height = area.height.min(TEXT.lines().count() as u16 + 2);
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

pub(super) fn draw(area: Rect, palette: Palette, buffer: &mut Buffer) {
    let block = Block::bordered()
        .title(" help ")
        .border_style(palette.focus());
    let lines: Vec<Line> = TEXT.lines().map(Line::from).collect();
    Paragraph::new(lines).block(block).render(area, buffer);
}
