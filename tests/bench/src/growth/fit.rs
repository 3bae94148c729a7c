//! The slope of a cost over its size, both as logarithms: a cost that grows as a power of the size is a straight line there, and its
//! slope is the power. Only the upper half of the sizes counts, where what does not grow no longer hides what does.

/// How a cost is to grow with a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Not at all.
    Constant,
    /// As its logarithm, which is what a search of sorted entries takes.
    Logarithmic,
    /// As the size itself.
    Linear,
}

/// So much more than the expected slope is noise and what lies below the size (caches of an image's pages, longer numbers).
const TOLERANCE: f64 = 0.15;
/// A slope above is super-linear, whatever was expected.
const LINEAR: f64 = 1.1;
/// Fewest sizes of an upper half.
const FEWEST: usize = 3;

impl Growth {
    /// In the usual notation.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Constant => "O(1)",
            Self::Logarithmic => "O(log n)",
            Self::Linear => "O(n)",
        }
    }

    /// Its value at a size, but for a factor.
    #[must_use]
    pub fn at(self, size: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            // Of one entry nothing is searched, but it is looked at.
            Self::Logarithmic => size.log2() + 1.0,
            Self::Linear => size,
        }
    }
}

/// How a cost grew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// What was expected.
    pub growth: Growth,
    /// The slope that was to be over these sizes.
    pub due: f64,
    /// The slope that was found; `None`: too few sizes.
    pub slope: Option<f64>,
}

impl Judgement {
    /// Why this is a defect; `None`: it is none.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let Some(slope) = self.slope else { return Some("too few sizes were taken to tell".to_owned()) };
        let most = (self.due + TOLERANCE).min(LINEAR);
        let words = self.growth.words();
        (slope > most).then(|| format!("grows as n^{slope:.2}, at most n^{most:.2} is expected of {words}"))
    }
}

/// How sizes and costs (both above 0, sizes rising) grew.
#[must_use]
pub fn judge(points: &[(f64, f64)], growth: Growth) -> Judgement {
    let upper = upper(points);
    let promised: Vec<(f64, f64)> = upper.iter().map(|(size, _)| (*size, growth.at(*size))).collect();
    Judgement { growth, due: slope(&promised).unwrap_or(0.0), slope: slope(upper) }
}

/// The upper half of the points, and three of them where there are so many.
#[must_use]
pub fn upper(points: &[(f64, f64)]) -> &[(f64, f64)] {
    let taken = points.len().div_ceil(2).max(FEWEST).min(points.len());
    points.get(points.len() - taken..).unwrap_or_default()
}

/// Slope of the line of least squares through the logarithms; `None` of fewer than two sizes.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(size, cost)| (size.ln(), cost.ln())).collect();
    let count = logs.len() as f64;
    let (sum_x, sum_y) = logs.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let spread: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let both: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    // Of costs that fall by less than is shown no "-0.00" is told.
    (spread > 0.0).then(|| both / spread).map(|slope| if slope.abs() < 0.005 { 0.0 } else { slope })
}
