//! Bars with their intervals, as SVG.

use gatehouse_bench::svg::{Anchor, Font, Stroke, Svg};

use crate::figures::Median;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 150.0;
/// Room for the figure behind the longest bar.
const RIGHT: f64 = 130.0;
const ROW: f64 = 38.0;
const TITLE: f64 = 54.0;
const INTERVAL: Stroke<'_> = Stroke { colour: "black", width: 1.0, dashes: "" };

/// One variant.
pub(crate) struct Bar {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) median: Median,
}

/// One picture, a part below the other.
pub(crate) fn draw(parts: &[(&str, Vec<Bar>)]) -> String {
    let height: f64 = parts.iter().map(|(_, bars)| TITLE + ROW * bars.len() as f64).sum::<f64>() + 16.0;
    let mut svg = Svg::new(WIDTH, height);
    let mut top = 0.0;
    for (title, bars) in parts {
        part(&mut svg, top, title, bars);
        top += TITLE + ROW * bars.len() as f64;
    }
    svg.finish()
}

fn part(svg: &mut Svg, top: f64, title: &str, bars: &[Bar]) {
    let most = bars.iter().map(|bar| bar.median.high.max(bar.median.value)).fold(1.0, f64::max);
    let x = |value: f64| LEFT + value / most * (WIDTH - LEFT - RIGHT);
    let head = format!("CPU µs of Envoy a request, {title}");
    svg.text(16.0, top + 34.0, Font { size: 16, bold: true, ..Font::default() }, &head);
    for (row, bar) in bars.iter().enumerate() {
        let y = top + TITLE + ROW * row as f64;
        let Median { value, low, high } = bar.median;
        let colour = if bar.name.starts_with("gatehouse") { "#2f6f9f" } else { "#a9b4bd" };
        svg.text(LEFT - 8.0, y + 12.0, Font { anchor: Anchor::End, ..Font::default() }, bar.name);
        svg.rect("bar", [LEFT, y, x(value) - LEFT, 15.0], colour);
        let (middle, edge) = (y + 7.5, y + 3.5);
        let along = format!("M{0:.1} {middle:.1}H{1:.1}m0 -4v8M{0:.1} {edge:.1}v8", x(low), x(high));
        svg.path("interval", &along, INTERVAL);
        svg.text(x(high.max(value)) + 8.0, y + 12.0, Font::default(), &format!("{value:.1}"));
        svg.text(LEFT, y + 26.0, Font { size: 10, colour: "#555", ..Font::default() }, bar.what);
    }
}
