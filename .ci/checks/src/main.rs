//! Checks from outside what plimsoll wrote.

mod browser;
mod hostile;
mod page;
mod schema;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
checks page [--shots FOLDER] FILE…   open pages in Chromium: layout, keyboard, contents
checks json SCHEMA FILE…             validate JSON files by a JSON Schema
checks hostile RUN.json FOLDER       write copies of a run with hostile names and with many cells";

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(findings) => {
            findings.iter().for_each(|finding| println!("{finding}"));
            ExitCode::from(u8::from(!findings.is_empty()))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[&str]) -> Fallible<Vec<String>> {
    let paths = |arguments: &[&str]| -> Vec<PathBuf> { arguments.iter().map(PathBuf::from).collect() };
    match arguments {
        ["page", "--shots", folder, files @ ..] if !files.is_empty() => {
            page::check(&paths(files), Some(Path::new(folder)))
        }
        ["page", files @ ..] if !files.is_empty() => page::check(&paths(files), None),
        ["json", schema, files @ ..] if !files.is_empty() => schema::check(Path::new(schema), &paths(files)),
        ["hostile", run, folder] => hostile::write(Path::new(run), Path::new(folder)).map(|()| Vec::new()),
        _ => Err(USAGE.into()),
    }
}
