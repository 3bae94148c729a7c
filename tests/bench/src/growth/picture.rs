//! The picture of a topic: for each drawn figure a diagram with logarithms on both sides, below one another. A line of each kind with its
//! sizes as dots; dashed, the complexity that is expected, laid through the middle of the sizes that are judged; at the right its name,
//! the expectation in words and the power that was found. At the foot, what was refused.

use super::fit::upper;
use super::{Column, Expected, Line, Row, Topic};
use crate::svg::{Anchor, Font, Stroke, Svg};
use crate::table::grouped;

const WIDTH: f64 = 980.0;
/// The diagram's sides, from the left.
const LEFT: f64 = 96.0;
const RIGHT: f64 = 640.0;
/// Where names begin.
const NAMES: f64 = 672.0;
const TITLE: f64 = 50.0;
/// Of one diagram with its head and the sizes under it.
const PANEL: f64 = 372.0;
const HEAD: f64 = 30.0;
const DIAGRAM: f64 = 290.0;
/// Between the base lines of two names.
const BETWEEN: f64 = 38.0;
const NOTE: f64 = 18.0;
/// Characters of a note in one line.
const NOTE_LENGTH: usize = 170;
/// Told apart by all eyes (Okabe and Ito, 2008).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a6761d", "#56b4e9"];
const GREY: &str = "#555";
const GRID: Stroke<'_> = Stroke { colour: "#e3e6e8", width: 1.0, dashes: "" };
const FRAME: Stroke<'_> = Stroke { colour: "#8a949b", width: 1.0, dashes: "" };

/// The picture, as SVG.
pub(super) fn draw(topic: &Topic) -> String {
    let drawn: Vec<&Column> = topic.columns.iter().filter(|column| column.drawn).collect();
    let notes = notes(topic);
    let height = TITLE + PANEL * drawn.len() as f64 + NOTE * notes.len() as f64 + 16.0;
    let mut svg = Svg::new(WIDTH, height);
    svg.text(16.0, 32.0, Font { size: 18, bold: true, ..Font::default() }, topic.title);
    let mut top = TITLE;
    for column in drawn {
        Panel::new(topic, column, top).draw(&mut svg);
        top += PANEL;
    }
    for note in notes {
        svg.text(16.0, top, Font { size: 10, colour: GREY, ..Font::default() }, &note);
        top += NOTE;
    }
    svg.finish()
}

fn notes(topic: &Topic) -> Vec<String> {
    let each = topic.lines.iter().flat_map(|line| line.rows.iter().map(move |row| (line, row)));
    each.filter_map(|(line, row): (&Line, &Row)| {
        let words = row.found.as_ref().err()?;
        let whole = format!("{}, {}: refused: {words}", line.name, grouped(row.size));
        let short: String = whole.chars().take(NOTE_LENGTH).collect();
        Some(if short.len() < whole.len() { short + "…" } else { whole })
    })
    .collect()
}

/// One diagram.
struct Panel<'t> {
    topic: &'t Topic,
    column: &'t Column,
    x: Scale,
    y: Scale,
    bottom: f64,
}

/// A line's end, and what is to stand beside it.
struct Name {
    end: (f64, f64),
    y: f64,
    colour: &'static str,
    what: String,
    growth: String,
}

impl<'t> Panel<'t> {
    fn new(topic: &'t Topic, column: &'t Column, top: f64) -> Self {
        let points: Vec<(f64, f64)> = topic.lines.iter().flat_map(|line| line.points(column.key)).collect();
        let bottom = top + HEAD + DIAGRAM;
        let sizes = topic.lines.iter().flat_map(|line| &line.sizes).map(|size| *size as f64);
        let x = Scale::of(sizes, LEFT, RIGHT);
        let y = Scale::decades(points.iter().map(|(_, cost)| *cost), bottom, top + HEAD);
        Self { topic, column, x, y, bottom }
    }

    fn draw(&self, svg: &mut Svg) {
        let top = self.bottom - DIAGRAM;
        svg.text(LEFT, top - 10.0, Font { bold: true, ..Font::default() }, self.column.head);
        self.grid(svg, top);
        let mut names: Vec<Name> = Vec::new();
        for (line, colour) in self.topic.lines.iter().zip(COLOURS.into_iter().cycle()) {
            names.extend(self.line(svg, line, colour));
        }
        self.names(svg, names, top);
    }

    fn grid(&self, svg: &mut Svg, top: f64) {
        for (value, label) in self.x.marks() {
            let x = self.x.at(value);
            svg.path("grid", &format!("M{x:.1} {top:.1}V{:.1}", self.bottom), GRID);
            let font = Font { size: 11, anchor: Anchor::Middle, ..Font::default() };
            svg.text(x, self.bottom + 17.0, font, &label);
        }
        for (value, label) in self.y.marks() {
            let y = self.y.at(value);
            svg.path("grid", &format!("M{LEFT:.1} {y:.1}H{RIGHT:.1}"), GRID);
            svg.text(LEFT - 8.0, y + 4.0, Font { size: 11, anchor: Anchor::End, ..Font::default() }, &label);
        }
        svg.path("frame", &format!("M{LEFT:.1} {top:.1}V{:.1}H{RIGHT:.1}", self.bottom), FRAME);
        let font = Font { size: 12, anchor: Anchor::End, colour: GREY, ..Font::default() };
        svg.text(RIGHT, self.bottom + 34.0, font, self.topic.of);
    }

    /// Draws a line and its expectation; what is to be said of it.
    fn line(&self, svg: &mut Svg, line: &Line, colour: &'static str) -> Option<Name> {
        let points = line.points(self.column.key);
        let (size, cost) = *points.last()?;
        let expected = line.expected.iter().find(|expected| expected.key == self.column.key);
        if let Some(expected) = expected {
            self.expectation(svg, &points, expected, colour);
        }
        let along: Vec<String> =
            points.iter().map(|(size, cost)| format!("{:.1} {:.1}", self.x.at(*size), self.y.at(*cost))).collect();
        svg.path("line", &format!("M{}", along.join("L")), Stroke { colour, width: 1.8, dashes: "" });
        for (size, cost) in &points {
            svg.dot("size", self.x.at(*size), self.y.at(*cost), 3.2, colour);
        }
        let growth = expected.map_or_else(String::new, |expected| {
            let judgement = line.judge(expected);
            let slope = judgement.slope.map_or("too few sizes".to_owned(), |slope| format!("found n^{slope:.2}"));
            let defect = if expected.judged && judgement.fault().is_some() { " – DEFECT" } else { "" };
            format!("expected {}, {slope}{defect}", judgement.growth.words())
        });
        let end = (self.x.at(size), self.y.at(cost));
        Some(Name { end, y: end.1, colour, what: line.name.to_owned(), growth })
    }

    fn expectation(&self, svg: &mut Svg, points: &[(f64, f64)], expected: &Expected, colour: &str) {
        let judged = upper(points);
        let logs: f64 = judged.iter().map(|(size, cost)| (cost / expected.growth.at(*size)).ln()).sum();
        let factor = (logs / judged.len().max(1) as f64).exp();
        let (low, high) = (self.x.low, self.x.high);
        // A logarithm is a bend here, so that a straight line from end to end will not do.
        let all = (0..=64).map(|part| low * (high / low).powf(f64::from(part) / 64.0));
        let inside = all.map(|size| (size, factor * expected.growth.at(size))).filter(|(_, cost)| self.y.holds(*cost));
        let along: Vec<String> =
            inside.map(|(size, cost)| format!("{:.1} {:.1}", self.x.at(size), self.y.at(cost))).collect();
        if along.len() > 1 {
            svg.path("expected", &format!("M{}", along.join("L")), Stroke { colour, width: 1.1, dashes: "5 4" });
        }
    }

    /// Names beside the ends of their lines, moved apart where they would lie upon one another.
    fn names(&self, svg: &mut Svg, mut names: Vec<Name>, top: f64) {
        names.sort_by(|a, b| a.y.total_cmp(&b.y));
        let mut least = top + 8.0;
        for name in &mut names {
            name.y = name.y.max(least);
            least = name.y + BETWEEN;
        }
        let mut most = self.bottom - 10.0;
        for name in names.iter_mut().rev() {
            name.y = name.y.min(most);
            most = name.y - BETWEEN;
        }
        for Name { end, y, colour, what, growth } in &names {
            let leader = format!("M{:.1} {:.1}L{:.1} {y:.1}", end.0 + 5.0, end.1, NAMES - 6.0);
            svg.path("leader", &leader, Stroke { colour, width: 0.6, dashes: "" });
            svg.text(NAMES, y + 3.0, Font { bold: true, colour, ..Font::default() }, what);
            svg.text(NAMES, y + 18.0, Font { size: 12, colour: GREY, ..Font::default() }, growth);
        }
    }
}

/// Logarithms of values as places.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// From the least value to the greatest.
    fn of(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(0.0, f64::max);
        if low < high { Self { low, high, from, to } } else { Self { low: 1.0, high: 10.0, from, to } }
    }

    /// The same, and on to whole powers of ten.
    fn decades(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let Self { low, high, from, to } = Self::of(values.clone().chain(values.map(|value| value * 1.001)), from, to);
        Self { low: 10f64.powf(low.log10().floor()), high: 10f64.powf(high.log10().ceil()), from, to }
    }

    fn at(&self, value: f64) -> f64 {
        self.from + (value / self.low).ln() / (self.high / self.low).ln() * (self.to - self.from)
    }

    fn holds(&self, value: f64) -> bool {
        (self.low * 0.999..=self.high * 1.001).contains(&value)
    }

    /// Powers of ten; where there are few, twice and five times these too.
    fn marks(&self) -> Vec<(f64, String)> {
        let steps: &[f64] = if self.high / self.low > 1001.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let powers = (0..16).map(|power| 10f64.powi(power));
        let all = powers.flat_map(|power| steps.iter().map(move |step| power * step));
        all.filter(|value| self.holds(*value)).map(|value| (value, mark(value))).collect()
    }
}

fn mark(value: f64) -> String {
    const POWERS: [&str; 10] = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"];
    if value < 9e6 {
        return grouped(value.round() as u64);
    }
    let power = value.log10().floor() as usize;
    let times = (value / 10f64.powi(power as i32)).round();
    let raised: String =
        power.to_string().bytes().filter_map(|digit| POWERS.get(usize::from(digit - b'0')).copied()).collect();
    if times > 1.0 { format!("{times}·10{raised}") } else { format!("10{raised}") }
}
