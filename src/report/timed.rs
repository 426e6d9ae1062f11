//! A chart for the bench of what plimsoll itself costs: what is timed there is what a report draws.

use super::charts::{Named, of_all};
use super::view::{Report, ReportOptions};
use crate::judge::Judgement;
use crate::record::Run;

/// The chart of what changed, ready to be drawn.
pub struct ChangeChart(Named);

impl ChangeChart {
    /// The chart of a call; nothing when nothing was compared.
    pub fn new(runs: &[Run], judgement: &Judgement) -> Option<Self> {
        let options = ReportOptions {
            plots: true,
            baseline: "main".to_owned(),
            overview: true,
            ..ReportOptions::default()
        };
        of_all(&Report::new("overhead", runs, &[], judgement, &options)).map(Self)
    }

    /// Draws it as SVG alone; its length in bytes.
    pub fn svg(&self) -> Option<usize> {
        self.0.svg().ok().map(|svg| svg.len())
    }

    /// Draws it as SVG and as PNG; the length of each in bytes.
    pub fn svg_and_png(&self) -> Option<(usize, usize)> {
        self.0.picture().ok().map(|picture| (picture.svg.len(), picture.png.len()))
    }
}
