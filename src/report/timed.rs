//! The chart that `benches/overhead.rs` times: the one that a report draws.

use crate::judge::Judgement;
use crate::record::Run;
use crate::report::chart::forest::Forest;
use crate::report::chart::svg::png;
use crate::report::charts::forest;
use crate::report::view::{Report, ReportOptions};

/// The chart of what changed.
pub struct ChangeChart(Forest);

impl ChangeChart {
    /// The chart of a call; `None` if nothing was compared.
    pub fn new(runs: &[Run], judgement: &Judgement) -> Option<Self> {
        let options = ReportOptions {
            plots: true,
            baseline: "main".to_owned(),
            overview: true,
            ..ReportOptions::default()
        };
        forest(&Report::new("overhead", runs, &crate::record::Baseline::default(), judgement, &options))
            .map(Self)
    }

    /// Draws it as SVG alone; its length in bytes.
    pub fn svg(&self) -> usize {
        self.0.draw().len()
    }

    /// Draws it as SVG and as PNG; the length of each in bytes.
    pub fn svg_and_png(&self) -> Option<(usize, usize)> {
        let svg = self.0.draw();
        let png = png(&svg).ok()??;
        Some((svg.len(), png.len()))
    }
}
