//! Pages in a browser, as people see them: bright and dark, narrow and wide, with the keyboard alone.

use std::fs;
use std::path::{Path, PathBuf};

use fantoccini::key::Key;
use serde_json::{Value, json};
use url::Url;

use crate::Fallible;
use crate::browser::Browser;

const SCHEMES: [&str; 2] = ["light", "dark"];
const WIDTHS: [u32; 3] = [390, 1280, 1440];
const HEIGHT: u32 = 900;
/// Chromium does not draw higher pictures.
const HIGHEST_SHOT: u32 = 16_000;
/// Further stops are of the same kinds.
const MOST_STOPS: u64 = 200;
const MOST_DETAILS: u64 = 30;
/// Findings of one kind that are listed.
const MOST_LISTED: usize = 20;

const CONTENTS: &str = include_str!("contents.js");
const LAYOUT: &str = include_str!("layout.js");
const STOPS: &str = include_str!("stops.js");
const OPEN_ALL: &str = "document.querySelectorAll('details').forEach((each) => { each.open = true; });
    return document.querySelectorAll('details').length;";
const CLOSED: &str = "const closed = [...document.querySelectorAll('details:not([open]) > summary')]
    .filter((each) => each.checkVisibility());
    window.closedSummaries = closed; return closed.length;";

/// A page in one color scheme and width.
struct View<'a> {
    browser: &'a Browser,
    file: &'a Path,
    scheme: &'a str,
    width: u32,
}

pub fn check(files: &[PathBuf], shots: Option<&Path>) -> Fallible<Vec<String>> {
    if let Some(folder) = shots {
        fs::create_dir_all(folder)?;
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let browser = Browser::start().await?;
        let findings = check_all(&browser, files, shots).await;
        browser.stop().await?;
        findings
    })
}

async fn check_all(browser: &Browser, files: &[PathBuf], shots: Option<&Path>) -> Fallible<Vec<String>> {
    browser.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await?;
    let mut findings = Vec::new();
    for file in files {
        let file = &file.canonicalize().map_err(|error| format!("{}: {error}", file.display()))?;
        for scheme in SCHEMES {
            for width in WIDTHS {
                let view = View { browser, file, scheme, width };
                findings.extend(view.check(shots).await?);
            }
        }
    }
    Ok(findings)
}

impl View<'_> {
    async fn check(&self, shots: Option<&Path>) -> Fallible<Vec<String>> {
        self.open().await?;
        let mut findings = limited(self.browser.complaints().await?);
        let is_first = self.scheme == SCHEMES[0] && self.width == WIDTHS[0];
        if is_first {
            findings.extend(limited(self.contents().await?));
        }
        findings.extend(limited(strings(&self.ask(LAYOUT).await?)));
        if let Some(folder) = shots {
            self.shoot(folder, "").await?;
        }
        // The narrowest view has the most boxes that scroll. The other one shows the focus in the other colors.
        let tries_keys = [("light", 390), ("dark", 1280)].contains(&(self.scheme, self.width));
        if tries_keys {
            findings.extend(limited(self.tab_through().await?));
            findings.extend(limited(self.open_by_enter().await?));
        }
        if self.ask(OPEN_ALL).await?.as_u64() > Some(0) {
            let mut opened = limited(strings(&self.ask(LAYOUT).await?));
            if let Some(folder) = shots {
                self.shoot(folder, "-open").await?;
            }
            if tries_keys {
                // In a page that was loaded again, Tab begins at the top.
                self.open().await?;
                self.ask(OPEN_ALL).await?;
                opened.extend(limited(self.tab_through().await?));
            }
            findings.extend(opened.into_iter().map(|finding| format!("opened: {finding}")));
        }
        let place = format!("{}, {}, {} px", self.file.display(), self.scheme, self.width);
        Ok(findings.into_iter().map(|finding| format!("{place}: {finding}")).collect())
    }

    async fn open(&self) -> Fallible<()> {
        self.browser.set_color_scheme(self.scheme).await?;
        self.browser.set_size(self.width, HEIGHT).await?;
        let address = Url::from_file_path(self.file).map_err(|()| "the path is not absolute")?;
        self.browser.client.goto(address.as_str()).await?;
        let is_as_asked = format!(
            "return document.documentElement.clientWidth === {} && matchMedia('(prefers-color-scheme: {})').matches",
            self.width, self.scheme
        );
        match self.ask(&is_as_asked).await? {
            Value::Bool(true) => Ok(()),
            _ => Err(format!("the browser does not show {} at {} px", self.scheme, self.width).into()),
        }
    }

    async fn ask(&self, script: &str) -> Fallible<Value> {
        Ok(self.browser.client.execute(script, Vec::new()).await?)
    }

    async fn contents(&self) -> Fallible<Vec<String>> {
        let answer = self.ask(CONTENTS).await?;
        let mut findings = strings(&answer["findings"]);
        for address in strings(&answer["files"]) {
            let path = Url::parse(&address)?.to_file_path().map_err(|()| "a link is not a file")?;
            if !path.exists() {
                findings.push(format!("a link leads to {}, which does not exist", path.display()));
            }
        }
        Ok(findings)
    }

    async fn tab_through(&self) -> Fallible<Vec<String>> {
        let answer = self.ask(STOPS).await?;
        let mut findings = strings(&answer["findings"]);
        let count = answer["count"].as_u64().unwrap_or(0).min(MOST_STOPS);
        self.browser.press(char::from(Key::Tab), usize::try_from(count)?).await?;
        let seen = self.ask("return window.checked.seen").await?;
        let seen = seen.as_array().ok_or("no list of stops")?;
        let mut reached = seen.iter().filter_map(|stop| stop["index"].as_u64());
        if !(0..).zip(&mut reached).all(|(expected, index)| expected == index) {
            findings.push("Tab does not follow the order of the page".to_owned());
        }
        // Chromium also stops at boxes that scroll, whether the page says so or not.
        let unexpected = seen.iter().filter(|stop| stop["index"] == -1);
        findings.extend(
            unexpected.map(|stop| format!("Tab stops at {}, which states no tabindex", stop["what"])),
        );
        if (seen.len() as u64) < count {
            findings.push(format!("Tab reaches {} of {count} stops", seen.len()));
        }
        let plain = seen.iter().filter(|stop| stop["isOutlined"] == false);
        findings.extend(plain.map(|stop| format!("the focus of {} is not visible", stop["what"])));
        Ok(findings)
    }

    async fn open_by_enter(&self) -> Fallible<Vec<String>> {
        let mut findings = Vec::new();
        let closed = self.ask(CLOSED).await?.as_u64().unwrap_or(0);
        for index in 0..closed.min(MOST_DETAILS) {
            self.ask(&format!("window.closedSummaries[{index}].focus()")).await?;
            self.browser.press(char::from(Key::Enter), 1).await?;
            let is_open = format!("return window.closedSummaries[{index}].parentElement.open");
            if self.ask(&is_open).await? != Value::Bool(true) {
                let text =
                    self.ask(&format!("return window.closedSummaries[{index}].textContent.trim()")).await?;
                findings.push(format!("Enter does not open {text}"));
            }
        }
        Ok(findings)
    }

    async fn shoot(&self, folder: &Path, ending: &str) -> Fallible<()> {
        let height = self.ask("return document.documentElement.scrollHeight").await?.as_u64().unwrap_or(0);
        let height = u32::try_from(height)?.clamp(HEIGHT, HIGHEST_SHOT);
        self.browser.set_size(self.width, height).await?;
        let shot = self.browser.client.screenshot().await?;
        self.browser.set_size(self.width, HEIGHT).await?;
        let page = self.file.with_extension("");
        let names: Vec<_> = page.iter().rev().take(2).map(|name| name.to_string_lossy()).collect();
        let name = names.into_iter().rev().collect::<Vec<_>>().join("-");
        let name = format!("{name}-{}-{}{ending}.png", self.scheme, self.width);
        Ok(fs::write(folder.join(name), shot)?)
    }
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn limited(mut findings: Vec<String>) -> Vec<String> {
    let more = findings.len().saturating_sub(MOST_LISTED);
    if more > 0 {
        findings.truncate(MOST_LISTED);
        findings.push(format!("… and {more} more findings of this kind"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(head: &str, body: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("index.html");
        let title = "<!doctype html><html lang=en><meta charset=utf-8><title>page</title>
            <meta name=viewport content='width=device-width'>";
        fs::write(&file, format!("{title}{head}<body>{body}")).unwrap();
        check(&[file], None).unwrap().join("\n")
    }

    #[test]
    fn a_good_page_has_no_findings() {
        let body = "<h1>Good</h1><a href=#below>down</a><details><summary>more</summary><a href=#below>on</a></details>
            <div style='overflow-x: auto' tabindex=0 aria-label=table><div style='width: 3000px'>wide</div></div>
            <p id=below>below</p><svg aria-hidden=true width=50 height=20><text y=15>axis</text></svg>";
        assert_eq!(findings("", body), "");
    }

    #[test]
    fn each_defect_is_found() {
        let head = "<style>a:focus { outline: none } body { background: url(picture.png) }</style>";
        let body = "<script>1</script><div style='width: 2000px'>wide</div><img src=https://localhost:1/x.png>
            <p style='width: 5em; overflow: hidden; white-space: nowrap'>this text does not fit into its box</p>
            <svg width=50 height=20><text x=20 y=15>an axis label</text></svg><a href=#gone onclick=x>link</a>
            <a href=gone.html tabindex=2>second</a><p id=a></p><p id=a></p>
            <div style='overflow: auto; width: 90px'><div style='width: 300px'>scrolled</div></div>
            <table style='width: 110%'><tr><td>a table</table>
            <details><summary onkeydown='event.preventDefault()'>stuck</summary>text</details>";
        let found = findings(head, body);
        for part in [
            "it has 1 <script>",
            "has the attribute onclick",
            "<img> loads https:",
            "a style loads picture.png",
            "Failed to load resource",
            "the id \"a\" appears twice",
            "leads to \"#gone\"",
            "gone.html, which does not exist",
            "neither a name nor aria-hidden",
            "390 px: the page is 20",
            "<p> hides a part of \"this text does not",
            "\"an axis label\" in <text> is cut by <svg>",
            "dark, 1440 px: the page is 20",
            "<table> reaches ",
            "has a tabindex above 0",
            "Tab does not follow the order",
            "the focus of \"<a> \\\"link\\\"\" is not visible",
            "<div class=\"\"> cannot be reached by the keyboard",
            "Enter does not open \"stuck\"",
        ] {
            assert!(found.contains(part), "{part} is not in:\n{found}");
        }
    }
}
