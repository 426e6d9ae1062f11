//! The table of file formats, and the only place that writes their files.
//!
//! A format is a function that makes [`Artifact`]s of a [`Report`] and its charts, and a line in [`FORMATS`].

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::chart::Chart;
use super::chart::svg::PngError;
use super::view::Report;
use super::{chart_files, charts, overview, page};
use crate::record::{WriteError, file_name, write_whole};

/// A file to be written into the folder of a bench.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// Its name, which holds no separator.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Makes the files of a format. Pure.
type Format = fn(&Report, &[Chart]) -> Vec<Artifact>;

/// All formats, in the order of writing: the page comes last, when what it links to is there.
static FORMATS: &[Format] = &[|_, charts| chart_artifacts(charts), page::render];

/// The page of a bench, and of all benches.
pub(crate) const INDEX: &str = "index.html";

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// A chart could not be made.
    #[error(transparent)]
    Chart(#[from] PngError),
    /// A file could not be written.
    #[error("the report could not be written: {0}")]
    Write(#[from] WriteError),
    /// A chart of an earlier run could not be removed.
    #[error("{}, a chart of an earlier run, could not be removed: {source}; remove it yourself", path.display())]
    Stale {
        /// The chart.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    folder: PathBuf,
    /// The folder of all reports, if it is one of them.
    root: Option<PathBuf>,
}

impl Place {
    /// The folder of that name among all reports.
    pub(crate) fn below(root: &Path, name: &str) -> Self {
        Self { folder: root.join(file_name(name)), root: Some(root.to_owned()) }
    }

    /// A folder that somebody chose: nothing beside it is written, and nothing in it removed.
    pub(crate) fn chosen(folder: PathBuf) -> Self {
        Self { folder, root: None }
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The page that people open.
    pub(crate) fn page(&self) -> PathBuf {
        self.folder.join(INDEX)
    }

    /// Whether the page above it leads to all reports.
    pub(crate) fn has_overview(&self) -> bool {
        self.root.is_some()
    }
}

/// Writes a report in all formats into its folder, and the page that leads to all reports, of which it is one. Charts of an
/// earlier run that this one does not have are removed there; files that are no charts of ours stay. Gives the paths of what was
/// written.
///
/// # Errors
/// When a format cannot be made, a file cannot be written or an old chart cannot be removed; files that were written before stay.
pub(crate) fn write(place: &Place, report: &Report) -> Result<Vec<PathBuf>, ReportError> {
    let Place { folder, root } = place;
    let mut written = Vec::new();
    let charts = charts::draw(report)?;
    for artifact in FORMATS.iter().flat_map(|format| format(report, &charts)) {
        let path = folder.join(artifact.name);
        write_whole(&path, &artifact.bytes)?;
        written.push(path);
    }
    if let Some(root) = root {
        remove_stale(folder, &written)?;
        let path = root.join(INDEX);
        write_whole(&path, overview::page(&overview::benches(root)).as_bytes())?;
        written.push(path);
    }
    Ok(written)
}

fn chart_artifacts(charts: &[Chart]) -> Vec<Artifact> {
    let of_chart = |chart: &Chart| {
        let [svg, png] = chart_files::ENDINGS.map(|ending| format!("{}{ending}", chart.name));
        let png = chart.png.clone().map(|bytes| Artifact { name: png, bytes });
        [Artifact { name: svg, bytes: chart.svg.clone().into_bytes() }].into_iter().chain(png)
    };
    charts.iter().flat_map(of_chart).collect()
}

/// Removes the charts in a folder that are not among the written ones.
fn remove_stale(folder: &Path, written: &[PathBuf]) -> Result<(), ReportError> {
    // What cannot be listed was just written to: nothing is known to be stale.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(chart_files::is_ours);
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let path = entry.path();
        if !is_ours || !is_file || written.contains(&path) {
            continue;
        }
        match fs::remove_file(&path) {
            // Another process was faster.
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(ReportError::Stale { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::report::samples::{report_of, samples};

    fn write_below(root: &Path, report: &Report) -> Result<Vec<PathBuf>, ReportError> {
        write(&Place::below(root, &report.title), report)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn page_and_charts_are_written_and_the_overview_leads_to_each_bench() {
        let root = tempfile::tempdir().unwrap();
        let mut report = report_of(&[Verdict::Regressed, Verdict::Unchanged]);
        let written = write_below(root.path(), &report).unwrap();
        assert!(written.iter().all(|path| path.is_file()));
        let expected = [
            "change.png",
            "change.svg",
            "index.html",
            "latency-tokenizer.png",
            "latency-tokenizer.svg",
            "percentiles-tokenizer~3k_tokens=2f10.png",
            "percentiles-tokenizer~3k_tokens=2f10.svg",
            "percentiles-tokenizer~3k_tokens=2f5.png",
            "percentiles-tokenizer~3k_tokens=2f5.svg",
            "rounds-tokenizer~3k_tokens=2f10.png",
            "rounds-tokenizer~3k_tokens=2f10.svg",
            "rounds-tokenizer~3k_tokens=2f5.png",
            "rounds-tokenizer~3k_tokens=2f5.svg",
            "throughput-tokenizer.png",
            "throughput-tokenizer.svg",
        ];
        assert_eq!(names(&root.path().join("tokenizer")), expected);

        report.title = "an/other <b>".into();
        write_below(root.path(), &report).unwrap();
        let overview = fs::read_to_string(root.path().join(INDEX)).unwrap();
        for part in [
            "href=\"tokenizer/index.html\"",
            "href=\"an=2fother=20=3cb=3e/index.html\"",
            "an/other &lt;b&gt;",
        ] {
            assert!(overview.contains(part), "{part} in {overview}");
        }
        assert!(
            overview.contains("2 cells: 1 regressed (tokenizer/3k_tokens/5), 1 unchanged."),
            "{overview}"
        );
    }

    #[test]
    fn charts_of_an_earlier_run_go_and_the_files_of_others_stay() {
        let root = tempfile::tempdir().unwrap();
        write_below(root.path(), &report_of(&[Verdict::Regressed, Verdict::Unchanged])).unwrap();
        let folder = root.path().join("tokenizer");
        let foreign = ["change.pdf", "latency-My.svg", "notes.png", "run.json"];
        foreign.iter().for_each(|name| fs::write(folder.join(name), "mine").unwrap());
        fs::create_dir(folder.join("rounds-folder.svg")).unwrap();
        write_below(root.path(), &report_of(&[Verdict::New])).unwrap();
        let expected = [
            "change.pdf",
            "index.html",
            "latency-My.svg",
            "notes.png",
            "percentiles-tokenizer~3k_tokens=2f5.png",
            "percentiles-tokenizer~3k_tokens=2f5.svg",
            "rounds-folder.svg",
            "rounds-tokenizer~3k_tokens=2f5.png",
            "rounds-tokenizer~3k_tokens=2f5.svg",
            "run.json",
        ];
        assert_eq!(names(&folder), expected);
    }

    #[test]
    fn in_a_folder_that_somebody_chose_nothing_is_removed_and_nothing_beside_it_is_written() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("docs/load");
        let place = Place::chosen(folder.clone());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("latency-mine.svg"), "mine").unwrap();
        let mut report = report_of(&[Verdict::New]);
        report.options.overview = place.has_overview();
        let written = write(&place, &report).unwrap();
        assert!(written.contains(&place.page()) && written.iter().all(|path| path.starts_with(&folder)));
        assert_eq!(names(&root.path().join("docs")), ["load"]);
        assert_eq!(fs::read_to_string(folder.join("latency-mine.svg")).unwrap(), "mine");
        assert!(!fs::read_to_string(place.page()).unwrap().contains("../index.html"));
    }

    #[test]
    fn without_plots_only_the_page_is_written() {
        let root = tempfile::tempdir().unwrap();
        let mut report = report_of(&[Verdict::Unchanged]);
        report.options.plots = false;
        write_below(root.path(), &report).unwrap();
        assert_eq!(names(&root.path().join("tokenizer")), ["index.html"]);
    }

    #[test]
    fn a_file_where_the_folder_goes_is_a_clear_error_and_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let reports = root.path().join("reports");
        fs::write(&reports, "mine").unwrap();
        let error = write_below(&reports, &report_of(&[Verdict::Unchanged])).unwrap_err().to_string();
        assert!(error.contains("is a file where a folder is needed; move it away"), "{error}");
        assert!(error.contains(&reports.display().to_string()), "{error}");
        assert_eq!(fs::read_to_string(&reports).unwrap(), "mine");
    }

    #[test]
    fn a_folder_where_the_page_goes_is_a_clear_error() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("tokenizer/index.html")).unwrap();
        let error = write_below(root.path(), &report_of(&[Verdict::Unchanged])).unwrap_err().to_string();
        assert!(error.contains("it is a folder; move it away"), "{error}");
    }

    #[test]
    fn groups_with_odd_names_stay_in_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let mut odd = samples(&[Verdict::Unchanged, Verdict::Unchanged]);
        odd[0].group = "../../etc".into();
        odd[1].group = "東京 <\"&>".into();
        let written = write_below(root.path(), &crate::report::samples::report(&odd)).unwrap();
        for path in &written {
            assert!(
                path.is_file()
                    && path.canonicalize().unwrap().starts_with(root.path().canonicalize().unwrap())
            );
        }
        assert_eq!(names(root.path()), ["index.html", "tokenizer"]);
        assert_eq!(written.len(), 2 + 2 * 4 + 2, "what changed, two charts a cell, two pages");
    }
}
