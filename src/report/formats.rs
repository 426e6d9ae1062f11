//! The table of file formats, and the only place that writes their files.
//!
//! A format is a file with a function `render`, and a line in [`FORMATS`].

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::output;
use crate::record::{file_name, write_whole};
use crate::report::charts::is_ours;
use crate::report::github::{self, Step};
#[cfg(feature = "junit")]
use crate::report::junit;
use crate::report::model::{Report, ReportError};
use crate::report::page::{self, INDEX};
use crate::report::{csv, json, markdown, openmetrics};

/// A form that a report can be written in, next to the page with its charts.
#[derive(Debug)]
struct Format {
    /// Its name for `--report`.
    name: &'static str,
    output: Output,
}

/// What a format makes. Pure.
#[derive(Debug)]
enum Output {
    /// A file, of this name unless the user gives a path.
    File(&'static str, fn(&Report) -> Result<String, ReportError>),
    /// What a step of a CI system hands on.
    Step(fn(&Report) -> Step),
}

static FORMATS: &[Format] = &[
    Format { name: "markdown", output: Output::File("report.md", markdown::render) },
    Format { name: GITHUB, output: Output::Step(github::render) },
    #[cfg(feature = "junit")]
    Format { name: "junit", output: Output::File("junit.xml", junit::render) },
    Format { name: "json", output: Output::File("judgement.json", json::render) },
    Format { name: "openmetrics", output: Output::File("metrics.txt", openmetrics::render) },
    Format { name: "csv", output: Output::File("rounds.csv", csv::render) },
];

const GITHUB: &str = "github";

/// A format that the user asked for, and where its file goes.
#[derive(Debug, Clone)]
pub(crate) struct Requested {
    format: &'static Format,
    path: Option<PathBuf>,
}

impl Requested {
    /// Reads `NAME` or `NAME=PATH`.
    ///
    /// # Errors
    /// A sentence, if there is no such format or it takes no path.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, path) = text.split_once('=').map_or((text, None), |(name, path)| (name, Some(path)));
        let Some(format) = FORMATS.iter().find(|format| format.name == name) else {
            let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
            let built = if name == "junit" {
                "; `junit` needs features = [\"junit\"] of plimsoll in Cargo.toml"
            } else {
                ""
            };
            return Err(format!("it must be one of {}, or NAME=PATH{built}", names.join(", ")));
        };
        match (path, &format.output) {
            (Some(""), _) => Err(format!("the path behind `{name}=` is empty")),
            (Some(_), Output::Step(_)) => Err(format!("`{name}` writes no file, so it takes no path")),
            _ => Ok(Self { format, path: path.map(PathBuf::from) }),
        }
    }

    /// Whether the user chose where it goes.
    pub(crate) fn has_path(&self) -> bool {
        self.path.is_some()
    }

    /// Whether it is the same format in the same place.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.format.name == other.format.name && self.path == other.path
    }

    /// Whether it goes to standard output, on which there must be nothing else.
    pub(crate) fn is_on_stdout(&self) -> bool {
        self.path.as_deref() == Some(Path::new("-"))
    }

    /// The file that is written for a bench with this folder; `None` for standard output and for what is not a file.
    pub(crate) fn file(&self, folder: &Path) -> Option<PathBuf> {
        let Output::File(name, _) = self.format.output else { return None };
        match &self.path {
            _ if self.is_on_stdout() => None,
            None => Some(folder.join(name)),
            // A slash at the end is not part of a path's components.
            Some(path) if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
                Some(path.join(name))
            }
            Some(path) => Some(path.clone()),
        }
    }
}

/// The formats, each once, and annotations too if this is a step of GitHub Actions.
pub(crate) fn on_github(requested: &[Requested]) -> Vec<Requested> {
    let is_first =
        |(nth, one): &(usize, &Requested)| !requested[..*nth].iter().any(|other| other.is_same(one));
    let mut requested: Vec<Requested> =
        requested.iter().enumerate().filter(is_first).map(|(_, one)| one.clone()).collect();
    let is_step = env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
    let is_requested = requested.iter().any(|other| other.format.name == GITHUB);
    let github = FORMATS.iter().find(|format| is_step && !is_requested && format.name == GITHUB);
    requested.extend(github.map(|format| Requested { format, path: None }));
    requested
}

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

/// Writes the page with its charts and each requested format, and the page that links to all reports if this is one of them. Files of an
/// earlier run that this one does not have are removed then; files of others stay. Returns what could not be written; everything else
/// was.
pub(crate) fn write(place: &Place, report: &Report, requested: &[Requested]) -> Vec<ReportError> {
    let mut written = Vec::new();
    let mut failures: Vec<ReportError> = write_page(place, report, &mut written).err().into_iter().collect();
    let is_whole = failures.is_empty();
    failures.extend(write_requested(place, report, requested, &mut written));
    if let Some(root) = &place.root {
        // A page that stayed links to its charts.
        if is_whole {
            failures.extend(remove_stale(&place.folder, &written).err());
        }
        let overview = write_whole(&root.join(INDEX), page::overview(root).as_bytes());
        failures.extend(overview.err().map(ReportError::from));
    }
    failures
}

fn write_page(place: &Place, report: &Report, written: &mut Vec<PathBuf>) -> Result<(), ReportError> {
    for artifact in page::render(report)? {
        let path = place.folder.join(artifact.name);
        write_whole(&path, &artifact.bytes)?;
        written.push(path);
    }
    Ok(())
}

/// Writes the requested formats alone. Returns what could not be written.
pub(crate) fn write_requested(
    place: &Place,
    report: &Report,
    requested: &[Requested],
    written: &mut Vec<PathBuf>,
) -> Vec<ReportError> {
    let write = |request: &Requested| -> Result<Option<PathBuf>, ReportError> {
        match &request.format.output {
            Output::File(_, render) => {
                let text = render(report)?;
                let Some(path) = request.file(&place.folder) else {
                    output::print(text)?;
                    return Ok(None);
                };
                write_whole(&path, text.as_bytes())?;
                Ok(Some(path))
            }
            Output::Step(render) => hand_on(&render(report)).map(|()| None),
        }
    };
    let mut failures = Vec::new();
    for result in requested.iter().map(write) {
        match result {
            Ok(path) => written.extend(path),
            Err(error) => failures.push(error),
        }
    }
    failures
}

/// Prints the lines of a step, and appends to the files that variables name. Other programs of the step write to them, too.
fn hand_on(step: &Step) -> Result<(), ReportError> {
    if !step.log.is_empty() {
        output::log(step.log.trim_end());
    }
    // One that cannot be written must not keep the others.
    let append = |(variable, text): &(&'static str, String)| {
        let path = PathBuf::from(env::var_os(variable).filter(|path| !path.is_empty())?);
        let append = || OpenOptions::new().append(true).create(true).open(&path)?.write_all(text.as_bytes());
        append().err().map(|source| ReportError::Append { variable, path: path.clone(), source })
    };
    let failed: Vec<ReportError> = step.appended.iter().filter_map(append).collect();
    failed.into_iter().next().map_or(Ok(()), Err)
}

/// Removes the charts and the formats in a folder that are not among the written ones.
fn remove_stale(folder: &Path, written: &[PathBuf]) -> Result<(), ReportError> {
    let is_format = |name: &str| {
        FORMATS.iter().any(|format| matches!(format.output, Output::File(own, _) if own == name))
    };
    // A folder that cannot be listed has no known stale files.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| is_ours(name) || is_format(name));
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let path = entry.path();
        let is_written =
            || written.iter().any(|other| fs::canonicalize(other).ok() == fs::canonicalize(&path).ok());
        if !is_ours || !is_file || is_written() {
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
        write(&Place::below(root, &sampled.title), &sampled.report(), &[])
            .into_iter()
            .next()
            .map_or(Ok(()), Err)
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
            overview.contains("1 of 2 cells regressed: tokenizer/3k_tokens/5, latency p50 +23.1%"),
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
        assert!(write(&place, &sampled.report(), &[]).is_empty());
        assert_eq!(names(root.path()), ["docs"]);
        assert_eq!(names(&root.path().join("docs")), ["load"]);
        assert_eq!(fs::read_to_string(folder.join("latency-mine.svg")).unwrap(), "mine");
        assert!(!fs::read_to_string(place.page()).unwrap().contains("../index.html"));
    }

    #[test]
    fn a_format_has_a_file_of_its_own_or_the_one_that_the_user_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = |text: &str| Requested::parse(text).unwrap().file(folder.path());
        assert_eq!(file("json"), Some(folder.path().join("judgement.json")));
        assert_eq!(file("csv=a/b=c.csv"), Some("a/b=c.csv".into()));
        assert_eq!(file("csv=new/"), Some("new/rounds.csv".into()));
        let existing = format!("markdown={}", folder.path().display());
        assert_eq!(file(&existing), Some(folder.path().join("report.md")));
        assert_eq!((file("json=-"), file("github")), (None, None));
        assert!(Requested::parse("json=-").unwrap().is_on_stdout());
        for (wrong, why) in [
            ("xml", "it must be one of markdown, github, "),
            ("json=", "the path behind `json=` is empty"),
            ("github=x", "`github` writes no file"),
        ] {
            assert!(Requested::parse(wrong).unwrap_err().starts_with(why), "{wrong}");
        }
    }

    #[test]
    fn formats_of_an_earlier_run_go_and_one_failure_keeps_no_other_from_being_written() {
        let root = tempfile::tempdir().unwrap();
        let mut sampled = Sampled::new(&[Verdict::Regressed]);
        sampled.options.plots = false;
        let folder = root.path().join("tokenizer");
        let failures = |requested: &[&str]| {
            let requested: Vec<_> = requested.iter().map(|text| Requested::parse(text).unwrap()).collect();
            write(&Place::below(root.path(), "tokenizer"), &sampled.report(), &requested)
        };
        assert!(failures(&["markdown", "json", "openmetrics", "csv"]).is_empty());
        assert_eq!(
            names(&folder),
            ["index.html", "judgement.json", "metrics.txt", "report.md", "rounds.csv"]
        );
        let same = format!("markdown={}/../tokenizer/report.md", folder.display());
        assert!(failures(&[&same]).is_empty());
        assert_eq!(names(&folder), ["index.html", "report.md"]);
        fs::write(root.path().join("file"), "mine").unwrap();
        let below_a_file = format!("csv={}/file/rounds.csv", root.path().display());
        assert_eq!(failures(&[&below_a_file, "json"]).len(), 1);
        assert_eq!(names(&folder), ["index.html", "judgement.json"]);
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
