//! A headless Chromium, driven by a chromedriver on a free port.

use std::process::Stdio;
use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use url::{ParseError, Url};

use crate::Fallible;

pub struct Browser {
    pub client: Client,
    // Killed when it is dropped.
    driver: Child,
}

/// A command of chromedriver that WebDriver does not have.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    pub async fn start() -> Fallible<Self> {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("chromedriver does not start: {error}"))?;
        let port = tokio::time::timeout(Duration::from_secs(30), port_of(&mut driver)).await??;
        // Scroll bars of phones take no place.
        let capabilities = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"],
            },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("an object was written") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await?;
        Ok(Self { client, driver })
    }

    pub async fn stop(mut self) -> Fallible<()> {
        self.client.close().await?;
        Ok(self.driver.kill().await?)
    }

    /// Sends a command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Fallible<()> {
        let body = json!({ "cmd": command, "params": parameters });
        self.client.issue_cmd(Extension { path: "goog/cdp/execute", body }).await?;
        Ok(())
    }

    pub async fn set_size(&self, width: u32, height: u32) -> Fallible<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await
    }

    pub async fn set_color_scheme(&self, scheme: &str) -> Fallible<()> {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await
    }

    /// The warnings and errors of the console since the last call.
    pub async fn complaints(&self) -> Fallible<Vec<String>> {
        let log =
            self.client.issue_cmd(Extension { path: "se/log", body: json!({ "type": "browser" }) }).await?;
        let entries = log.as_array().ok_or("the console's log is not an array")?;
        let is_bad = |entry: &&Value| matches!(entry["level"].as_str(), Some("WARNING" | "SEVERE"));
        Ok(entries.iter().filter(is_bad).map(|entry| entry["message"].to_string()).collect())
    }

    pub async fn press(&self, key: char, times: usize) -> Fallible<()> {
        let mut keys = KeyActions::new("keys".to_owned());
        for _ in 0..times {
            keys = keys.then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key });
        }
        Ok(self.client.perform_actions(keys).await?)
    }
}

async fn port_of(driver: &mut Child) -> Fallible<u16> {
    let output = driver.stdout.take().ok_or("chromedriver has no output")?;
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some((_, port)) = line.split_once("successfully on port ") {
            // Reads on, so that chromedriver never writes into a closed pipe.
            let port = port.trim_end_matches('.').parse()?;
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(port);
        }
    }
    Err("chromedriver ended before it listened".into())
}
