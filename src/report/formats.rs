//! The table of file formats, and the only place that writes their files.
//!
//! A format is a function that makes [`Artifact`]s of a [`Report`], and a line in [`FORMATS`].

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::record::{file_name, write_whole};
use crate::report::charts::is_ours;
use crate::report::model::{Artifact, Report, ReportError};
use crate::report::page::{self, INDEX};

/// Makes the files of a format, in the order of writing. Pure.
type Format = fn(&Report) -> Result<Vec<Artifact>, ReportError>;

static FORMATS: &[Format] = &[page::render];

/// Where a report goes.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// The folder of all reports, in which a page links to each; `None` if somebody chose the folder. Then nothing next to it is
    /// written, and nothing in it is removed.
    pub(crate) root: Option<PathBuf>,
}

impl Place {
    /// The folder of that name among all reports.
    pub(crate) fn below(root: &Path, name: &str) -> Self {
        Self { folder: root.join(file_name(name)), root: Some(root.to_owned()) }
    }

    /// The page that people open.
    pub(crate) fn page(&self) -> PathBuf {
        self.folder.join(INDEX)
    }
}

/// Writes a report in all formats into its folder, and the page that links to all reports if it is one of them. Charts of an
/// earlier run that this one does not have are removed then; other files stay.
///
/// # Errors
/// If a format cannot be made, a file cannot be written or an old chart cannot be removed. Files that were written before stay.
pub(crate) fn write(place: &Place, report: &Report) -> Result<(), ReportError> {
    let Place { folder, root } = place;
    let mut written = Vec::new();
    for format in FORMATS {
        for artifact in format(report)? {
            let path = folder.join(artifact.name);
            write_whole(&path, &artifact.bytes)?;
            written.push(path);
        }
    }
    if let Some(root) = root {
        remove_stale(folder, &written)?;
        write_whole(&root.join(INDEX), page::overview(root).as_bytes())?;
    }
    Ok(())
}

/// Removes the charts in a folder that are not among the written ones.
fn remove_stale(folder: &Path, written: &[PathBuf]) -> Result<(), ReportError> {
    // A folder that cannot be listed has no known stale charts.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(is_ours);
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
    use crate::report::tests::{Sampled, samples};

    fn write_below(root: &Path, sampled: &Sampled) -> Result<(), ReportError> {
        write(&Place::below(root, &sampled.title), &sampled.report())
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
    fn page_and_charts_are_written_and_the_overview_links_to_each_bench() {
        let root = tempfile::tempdir().unwrap();
        let mut sampled = Sampled::new(&[Verdict::Regressed, Verdict::Unchanged]);
        write_below(root.path(), &sampled).unwrap();
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

        sampled.title = "an/other <b>".into();
        write_below(root.path(), &sampled).unwrap();
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
        write_below(root.path(), &Sampled::new(&[Verdict::Regressed, Verdict::Unchanged])).unwrap();
        let folder = root.path().join("tokenizer");
        let foreign = ["change.pdf", "latency-My.svg", "notes.png", "run.json"];
        foreign.iter().for_each(|name| fs::write(folder.join(name), "mine").unwrap());
        fs::create_dir(folder.join("rounds-folder.svg")).unwrap();
        write_below(root.path(), &Sampled::new(&[Verdict::New])).unwrap();
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
    fn in_a_chosen_folder_nothing_is_removed_and_nothing_next_to_it_is_written() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("docs/load");
        let place = Place { folder: folder.clone(), root: None };
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("latency-mine.svg"), "mine").unwrap();
        let mut sampled = Sampled::new(&[Verdict::New]);
        sampled.options.overview = false;
        write(&place, &sampled.report()).unwrap();
        assert_eq!(names(root.path()), ["docs"]);
        assert_eq!(names(&root.path().join("docs")), ["load"]);
        assert_eq!(fs::read_to_string(folder.join("latency-mine.svg")).unwrap(), "mine");
        assert!(!fs::read_to_string(place.page()).unwrap().contains("../index.html"));
    }

    #[test]
    fn without_plots_only_the_page_is_written() {
        let root = tempfile::tempdir().unwrap();
        let mut sampled = Sampled::new(&[Verdict::Unchanged]);
        sampled.options.plots = false;
        write_below(root.path(), &sampled).unwrap();
        assert_eq!(names(&root.path().join("tokenizer")), ["index.html"]);
    }

    #[test]
    fn a_file_where_the_folder_goes_is_a_clear_error_and_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let reports = root.path().join("reports");
        fs::write(&reports, "mine").unwrap();
        let error = write_below(&reports, &Sampled::new(&[Verdict::Unchanged])).unwrap_err().to_string();
        assert!(error.contains("is a file where a folder is needed; move it away"), "{error}");
        assert!(error.contains(&reports.display().to_string()), "{error}");
        assert_eq!(fs::read_to_string(&reports).unwrap(), "mine");
    }

    #[test]
    fn a_folder_where_the_page_goes_is_a_clear_error() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("tokenizer/index.html")).unwrap();
        let error = write_below(root.path(), &Sampled::new(&[Verdict::Unchanged])).unwrap_err().to_string();
        assert!(error.contains("it is a folder; move it away"), "{error}");
    }

    #[test]
    fn groups_with_odd_names_stay_in_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let mut odd = samples(&[Verdict::Unchanged, Verdict::Unchanged]);
        odd[0].group = "../../etc".into();
        odd[1].group = "東京 <\"&>".into();
        let reports = root.path().join("home/me/reports");
        write_below(&reports, &Sampled::of(&odd)).unwrap();
        for (folder, only) in [("", "home"), ("home", "me"), ("home/me", "reports")] {
            assert_eq!(names(&root.path().join(folder)), [only]);
        }
        assert_eq!(names(&reports), ["index.html", "tokenizer"]);
        assert_eq!(
            names(&reports.join("tokenizer")).len(),
            2 + 2 * 4 + 1,
            "one chart, two per cell, the page"
        );
    }
}
