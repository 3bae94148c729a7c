//! Drawing a picture as SVG 1.1: what the pictures of all measurements are made of. Lengths are pixels; the ground is white.

use std::fmt::Write as _;

/// Where a text ends that is given one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It is in its middle.
    Middle,
    /// It ends there.
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub struct Font<'a> {
    /// Height of the letters.
    pub size: u32,
    /// Bold letters.
    pub bold: bool,
    /// Its colour.
    pub colour: &'a str,
    /// What of it stands at its place.
    pub anchor: Anchor,
}

impl Default for Font<'_> {
    fn default() -> Self {
        Self { size: 13, bold: false, colour: "black", anchor: Anchor::Start }
    }
}

/// How a line looks.
#[derive(Debug, Clone, Copy)]
pub struct Stroke<'a> {
    /// Its colour.
    pub colour: &'a str,
    /// Its width.
    pub width: f64,
    /// Lengths of dashes and gaps; empty: it has none.
    pub dashes: &'a str,
}

/// A picture in the making.
#[derive(Debug)]
pub struct Svg(String);

impl Svg {
    /// An empty one.
    #[must_use]
    pub fn new(width: f64, height: f64) -> Self {
        Self(format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="white"/>
"#
        ))
    }

    /// A text, in one line.
    pub fn text(&mut self, x: f64, y: f64, font: Font<'_>, text: &str) {
        let anchor = match font.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if font.bold { "bold" } else { "normal" };
        let (size, colour, text) = (font.size, font.colour, escaped(text));
        let _ = writeln!(
            self.0,
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{colour}">{text}</text>"#
        );
    }

    /// A filled rectangle.
    pub fn rect(&mut self, class: &str, [x, y, width, height]: [f64; 4], colour: &str) {
        let _ = writeln!(
            self.0,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
        );
    }

    /// A filled circle.
    pub fn dot(&mut self, class: &str, x: f64, y: f64, radius: f64, colour: &str) {
        let _ = writeln!(self.0, r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{colour}"/>"#);
    }

    /// Lines along a path of SVG.
    pub fn path(&mut self, class: &str, along: &str, stroke: Stroke<'_>) {
        let Stroke { colour, width, dashes } = stroke;
        let dashes = if dashes.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dashes}""#) };
        let _ = writeln!(
            self.0,
            r#"<path class="{class}" d="{along}" stroke="{colour}" stroke-width="{width}"{dashes} fill="none"/>"#
        );
    }

    /// The whole file.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
