//! Bars with their intervals, as SVG.

use std::fmt::Write as _;

use crate::figures::Median;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 150.0;
/// Room for the figure behind the longest bar.
const RIGHT: f64 = 130.0;
const ROW: f64 = 38.0;
const TITLE: f64 = 54.0;

/// One variant.
pub(crate) struct Bar {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) median: Median,
}

/// One picture, a part below the other.
pub(crate) fn draw(parts: &[(&str, Vec<Bar>)]) -> String {
    let height: f64 = parts.iter().map(|(_, bars)| TITLE + ROW * bars.len() as f64).sum::<f64>() + 16.0;
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="white"/>
"#
    );
    let mut top = 0.0;
    for (title, bars) in parts {
        part(&mut svg, top, title, bars);
        top += TITLE + ROW * bars.len() as f64;
    }
    svg.push_str("</svg>\n");
    svg
}

fn part(svg: &mut String, top: f64, title: &str, bars: &[Bar]) {
    let most = bars.iter().map(|bar| bar.median.high.max(bar.median.value)).fold(1.0, f64::max);
    let x = |value: f64| LEFT + value / most * (WIDTH - LEFT - RIGHT);
    let head = format!("CPU µs of Envoy a request, {title}");
    let _ = writeln!(svg, r#"<text x="16" y="{}" font-size="16" font-weight="bold">{head}</text>"#, top + 34.0);
    for (row, bar) in bars.iter().enumerate() {
        let y = top + TITLE + ROW * row as f64;
        let Median { value, low, high } = bar.median;
        let colour = if bar.name.starts_with("gatehouse") { "#2f6f9f" } else { "#a9b4bd" };
        let name = bar.name;
        let _ = writeln!(
            svg,
            r##"<text x="{}" y="{}" text-anchor="end">{name}</text>
<rect class="bar" x="{LEFT}" y="{y}" width="{:.1}" height="15" fill="{colour}"/>
<path class="interval" d="M{:.1} {:.1}H{:.1}m0 -4v8M{:.1} {:.1}v8" stroke="black" fill="none"/>
<text x="{:.1}" y="{}">{value:.1}</text>
<text x="{LEFT}" y="{}" font-size="10" fill="#555">{}</text>"##,
            LEFT - 8.0,
            y + 12.0,
            x(value) - LEFT,
            x(low),
            y + 7.5,
            x(high),
            x(low),
            y + 3.5,
            x(high.max(value)) + 8.0,
            y + 12.0,
            y + 26.0,
            escaped(bar.what),
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
