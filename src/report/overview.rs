//! The page that leads to the page of each bench: folders flow in, HTML flows out.

use std::fs;
use std::path::Path;

use super::formats::INDEX;
use super::html::{self, escaped, in_code};

/// The name of the element that tells a page's bench.
pub(crate) const BENCH: &str = "plimsoll-bench";
const DESCRIPTION: &str = "description";

/// A bench that has a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bench {
    /// The folder of its page.
    pub(crate) folder: String,
    /// Its name, as HTML.
    name: String,
    /// What came of its last call, as HTML.
    sentence: String,
}

/// The benches that have a page below `root`, by folder. What cannot be read is left out.
pub(crate) fn benches(root: &Path) -> Vec<Bench> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut benches: Vec<Bench> = entries
        .filter_map(|entry| {
            let folder = entry.file_name().into_string().ok()?;
            let page = fs::read(entry.path().join(INDEX)).ok()?;
            let page = String::from_utf8_lossy(&page);
            let name = meta(&page, BENCH).unwrap_or_else(|| escaped(&folder));
            let sentence = meta(&page, DESCRIPTION).unwrap_or_default();
            Some(Bench { folder, name, sentence })
        })
        .collect();
    benches.sort_by(|a, b| a.folder.cmp(&b.folder));
    benches
}

/// What an element of a page's head says, still escaped; nothing when it is not there or could leave its place.
fn meta(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("<meta name=\"{name}\" content=\""))?;
    let (content, _) = rest.split_once('"')?;
    (!content.contains(['<', '>'])).then(|| content.to_owned())
}

/// The page.
pub(crate) fn page(benches: &[Bench]) -> String {
    let line = |bench: &Bench| {
        format!(
            "<li><a href=\"{}/{INDEX}\">{}</a><p>{}</p></li>\n",
            link(&bench.folder),
            bench.name,
            in_code(&bench.sentence)
        )
    };
    let list: String = benches.iter().map(line).collect();
    let body = format!("<h1>Benches</h1>\n<ul class=\"benches\">\n{list}</ul>\n");
    html::page("Benches – plimsoll", "The reports of all benches.", "", &body)
}

/// A folder's name as part of a link. Ours need no escape, but others may stand there too.
fn link(folder: &str) -> String {
    let mut link = String::new();
    for byte in folder.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'=' | b'~' => {
                link.push(char::from(byte))
            }
            _ => link.push_str(&format!("%{byte:02X}")),
        }
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_with_a_page_are_led_to_and_foreign_ones_cannot_break_it() {
        let root = tempfile::tempdir().unwrap();
        let add = |folder: &str, page: &str| {
            fs::create_dir_all(root.path().join(folder)).unwrap();
            fs::write(root.path().join(folder).join(INDEX), page).unwrap();
        };
        add(
            "ours",
            "<meta name=\"plimsoll-bench\" content=\"Our &amp; s\"><meta name=\"description\" content=\"Fine.\">",
        );
        add("a \"b\"<c>", "<meta name=\"description\" content=\"<script>\">");
        fs::create_dir(root.path().join("empty")).unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let benches = benches(root.path());
        assert_eq!(benches.iter().map(|b| b.folder.as_str()).collect::<Vec<_>>(), ["a \"b\"<c>", "ours"]);
        let page = page(&benches);
        assert!(page.contains("<a href=\"ours/index.html\">Our &amp; s</a><p>Fine.</p>"));
        assert!(
            page.contains("<a href=\"a%20%22b%22%3Cc%3E/index.html\">a &quot;b&quot;&lt;c&gt;</a><p></p>")
        );
        assert!(!page.contains("<script>"));
    }

    #[test]
    fn no_folder_is_no_bench() {
        assert!(benches(Path::new("/nowhere/at/all")).is_empty());
        assert!(page(&[]).contains("<h1>Benches</h1>"));
    }
}
