//! A chart as SVG: axes with ticks, and layers of points, lines and bars. Colours are those of the
//! page, by class.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use handlebars::html_escape;

use super::axis::Axis;

/// Margins around the drawn area, pixels.
const LEFT: i32 = 78;
const RIGHT: i32 = 18;
const BOTTOM: i32 = 46;
/// Height of a row of the legend, pixels.
const ROW: i32 = 18;
/// Size of the drawing of a chart for a phone, at most: pixels.
const NARROW: (i32, i32) = (350, 320);
/// Most segments that are drawn of a layer.
const SEGMENTS: usize = 2000;
/// Number of marks above which they are drawn on a grid.
const MANY: usize = 10_000;
/// Spacing of that grid, pixels: half the width of a mark.
const GRID: i32 = 3;
/// Approximate width of a letter, pixels.
const LETTER: i32 = 7;

/// Two axes with layers of points.
pub struct Chart<'a> {
    /// Description for screen readers.
    pub title: &'a str,
    /// Width of the picture, pixels.
    pub width: i32,
    /// Height of the picture, pixels.
    pub height: i32,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Layers, the lowest first.
    pub layers: Vec<ChartLayer<'a>>,
}

/// Points that are drawn alike. Those outside the axes are left out.
pub struct ChartLayer<'a> {
    /// Name in the legend; None if it has no entry there.
    pub name: Option<&'a str>,
    /// Class in the style sheet, which determines the colour.
    pub class: &'a str,
    /// Drawing style.
    pub mark: Mark,
    /// Points (x, y), in the units of the axes.
    pub points: Vec<(f64, f64)>,
    /// Texts of the points, shown under the pointer; empty, or as many as points.
    pub titles: Vec<String>,
}

/// Drawing style of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A dot at each point.
    Dot,
    /// A cross at each point.
    Cross,
    /// A line from point to point, which must be in order of x.
    Line,
    /// A bar from the foot of the chart to each point.
    Bar,
    /// The area that the points enclose, in order of its outline.
    Area,
    /// A line between the first two points, between the next two, and so on.
    Segments,
}

impl Chart<'_> {
    /// Returns an `<svg>` element. Its size is bounded by the area in pixels, not by the number of
    /// points, titles aside.
    pub fn svg(&self) -> String {
        let (w, h) = (self.width, self.height);
        let title = html_escape(self.title);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\"><title>{title}</title>\n"
        );
        self.draw_axes(&mut svg);
        self.draw_legend(&mut svg);
        for layer in &self.layers {
            self.draw(layer, &mut svg);
        }
        svg + "</svg>"
    }

    /// Returns two `<svg>` elements in boxes of the classes `wide` and `narrow`, of which a page
    /// shows the one that fits: letters keep their size on a phone.
    pub fn figure(self) -> String {
        let wide = self.svg();
        let layers = self.layers.into_iter();
        // Nothing points there.
        let layers = layers.map(|layer| ChartLayer {
            titles: vec![],
            ..layer
        });
        let narrow = Self {
            width: self.width.min(NARROW.0),
            height: self.height.min(NARROW.1),
            layers: layers.collect(),
            ..self
        };
        let narrow = narrow.svg();
        format!("<div class=\"wide\">{wide}</div>\n<div class=\"narrow\">{narrow}</div>")
    }

    /// Left and upper end of the entries of the legend, by layer; None for a layer without a name.
    fn legend(&self) -> Vec<Option<(i32, i32)>> {
        let (mut x, mut y) = (self.left(), 0);
        let mut place = |layer: &ChartLayer| {
            let width = 34 + LETTER * layer.name?.chars().count() as i32;
            if x > self.left() && x + width > self.width {
                (x, y) = (self.left(), y + ROW);
            }
            x += width;
            Some((x - width + 8, y))
        };
        self.layers.iter().map(&mut place).collect()
    }

    /// Upper end of the drawn area.
    fn top(&self) -> i32 {
        let rows = self.legend().into_iter().flatten().map(|(_, y)| y);
        rows.max().map_or(12, |last| last + ROW + 12)
    }

    /// Left end of the drawn area.
    fn left(&self) -> i32 {
        if self.width > NARROW.0 {
            LEFT
        } else {
            LEFT - 12
        }
    }

    fn right(&self) -> i32 {
        self.width - RIGHT
    }

    fn foot(&self) -> i32 {
        self.height - BOTTOM
    }

    fn pixel_x(&self, x: f64) -> Option<i32> {
        let left = self.left();
        Some(left + (self.x.place(x)? * f64::from(self.right() - left)).round() as i32)
    }

    fn pixel_y(&self, y: f64) -> Option<i32> {
        Some(self.foot() - (self.y.place(y)? * f64::from(self.foot() - self.top())).round() as i32)
    }

    fn draw_axes(&self, svg: &mut String) {
        let (left, right, top, foot) = (self.left(), self.right(), self.top(), self.foot());
        let ticks: Vec<_> = self.x.ticks().collect();
        let longest = ticks.iter().map(|(_, text)| text.chars().count()).max();
        let needed = (longest.unwrap_or(0) as i32 + 1) * LETTER * (ticks.len() as i32 - 1).max(1);
        let every = 1 + needed as usize / (right - left).max(1) as usize;
        for (tick, text) in ticks.iter().step_by(every) {
            if let Some(x) = self.pixel_x(*tick) {
                add(
                    svg,
                    &format!("<path class=\"grid\" d=\"M{x} {top}V{foot}\"/>"),
                );
                add(svg, &text_at(x, foot + 17, "middle", text));
            }
        }
        for (tick, text) in self.y.ticks() {
            if let Some(y) = self.pixel_y(tick) {
                add(
                    svg,
                    &format!("<path class=\"grid\" d=\"M{left} {y}H{right}\"/>"),
                );
                add(svg, &text_at(left - 8, y + 4, "end", &text));
            }
        }
        add(
            svg,
            &format!("<path class=\"axis\" d=\"M{left} {top}V{foot}H{right}\"/>"),
        );
        add(
            svg,
            &text_at((left + right) / 2, self.height - 8, "middle", &self.x.label),
        );
        let (middle, label) = ((top + foot) / 2, html_escape(&self.y.label));
        let turned = format!("transform=\"translate(14 {middle}) rotate(-90)\"");
        add(
            svg,
            &format!("<text {turned} text-anchor=\"middle\">{label}</text>"),
        );
    }

    fn draw_legend(&self, svg: &mut String) {
        for (layer, place) in self.layers.iter().zip(self.legend()) {
            let (Some(name), Some((x, y))) = (layer.name, place) else {
                continue;
            };
            let d = match layer.mark {
                Mark::Dot => dot(x, y + 12),
                Mark::Cross => cross(x, y + 12),
                Mark::Line | Mark::Segments => format!("M{} {}h14", x - 7, y + 12),
                Mark::Bar => format!("M{x} {}v-8", y + 16),
                Mark::Area => format!("M{} {}h14v8h-14z", x - 7, y + 8),
            };
            add(svg, &path(layer, &d));
            add(svg, &text_at(x + 11, y + 16, "start", name));
        }
    }

    fn draw(&self, layer: &ChartLayer, svg: &mut String) {
        let pixels = |&(x, y): &(f64, f64)| Some((self.pixel_x(x)?, self.pixel_y(y)?));
        for (point, title) in layer.points.iter().zip(&layer.titles) {
            if let Some((x, y)) = pixels(point) {
                let title = html_escape(title);
                add(
                    svg,
                    &format!(
                        "<circle class=\"spot\" cx=\"{x}\" cy=\"{y}\" r=\"6\"><title>{title}</title></circle>"
                    ),
                );
            }
        }
        let pixels = layer.points.iter().filter_map(pixels);
        let grid = if layer.points.len() > MANY { GRID } else { 1 };
        let d = match layer.mark {
            Mark::Dot => distinct(pixels, grid, dot),
            Mark::Cross => distinct(pixels, grid, cross),
            Mark::Line => line(pixels),
            Mark::Bar => bars(pixels, self.foot()),
            Mark::Area => area(pixels),
            Mark::Segments => segments(&layer.points, |point| {
                Some((self.pixel_x(point.0)?, self.pixel_y(point.1)?))
            }),
        };
        if !d.is_empty() {
            add(svg, &path(layer, &d));
        }
    }
}

fn add(svg: &mut String, element: &str) {
    svg.push_str(element);
    svg.push('\n');
}

fn path(layer: &ChartLayer, d: &str) -> String {
    let kind = match layer.mark {
        Mark::Dot => "dot",
        Mark::Cross => "cross",
        Mark::Line => "line",
        Mark::Bar => "bar",
        Mark::Area => "area",
        Mark::Segments => "segments",
    };
    format!("<path class=\"{kind} {}\" d=\"{d}\"/>", layer.class)
}

fn text_at(x: i32, y: i32, anchor: &str, text: &str) -> String {
    let text = html_escape(text);
    format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>")
}

/// Path of a line of no length: its round ends make it a dot.
fn dot(x: i32, y: i32) -> String {
    format!("M{x} {y}h0")
}

fn cross(x: i32, y: i32) -> String {
    format!("M{} {}l6 6m0-6l-6 6", x - 3, y - 3)
}

/// Path of a mark for each point of the grid that has a pixel near.
fn distinct(
    pixels: impl Iterator<Item = (i32, i32)>,
    grid: i32,
    mark: fn(i32, i32) -> String,
) -> String {
    let pixels: BTreeSet<_> = pixels.map(|(x, y)| (x / grid, y / grid)).collect();
    let marks = pixels.into_iter();
    marks.map(|(x, y)| mark(x * grid, y * grid)).collect()
}

/// Path through the first, lowest, highest and last point above each pixel.
fn line(pixels: impl Iterator<Item = (i32, i32)>) -> String {
    let mut columns: BTreeMap<i32, [i32; 4]> = BTreeMap::new();
    for (x, y) in pixels {
        let column = columns.entry(x).or_insert([y; 4]);
        *column = [column[0], column[1].min(y), column[2].max(y), y];
    }
    let mut d = String::new();
    for (x, ys) in columns {
        let mut before = None;
        for y in ys.into_iter().filter(|y| before.replace(*y) != Some(*y)) {
            let step = if d.is_empty() { 'M' } else { 'L' };
            let _ = write!(d, "{step}{x} {y}");
        }
    }
    d
}

/// Closed path through the points; a point at the pixel of the one before is left out.
fn area(pixels: impl Iterator<Item = (i32, i32)>) -> String {
    let mut d = String::new();
    let mut before = None;
    for (x, y) in pixels.filter(|pixel| before.replace(*pixel) != Some(*pixel)) {
        let step = if d.is_empty() { 'M' } else { 'L' };
        let _ = write!(d, "{step}{x} {y}");
    }
    if d.is_empty() { d } else { d + "z" }
}

/// Path of the highest bar above each pixel.
fn bars(pixels: impl Iterator<Item = (i32, i32)>, foot: i32) -> String {
    let mut tops: BTreeMap<i32, i32> = BTreeMap::new();
    for (x, y) in pixels {
        let top = tops.entry(x).or_insert(y);
        *top = y.min(*top);
    }
    let bars = tops.into_iter();
    bars.map(|(x, top)| format!("M{x} {foot}V{top}")).collect()
}

/// Path of a line for each two points, of every n-th ones if they are many.
fn segments(points: &[(f64, f64)], pixel: impl Fn(&(f64, f64)) -> Option<(i32, i32)>) -> String {
    let every = 1 + points.len() / (2 * SEGMENTS);
    let ends = points.as_chunks::<2>().0.iter().step_by(every);
    let lines = ends.filter_map(|[from, to]| {
        let ((x, y), (to_x, to_y)) = (pixel(from)?, pixel(to)?);
        Some(format!("M{x} {y}L{to_x} {to_y}"))
    });
    lines.collect()
}
