//! `plimsoll load`: one measurement, no baseline.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::plan::{
    Cell, CellId, Endpoint, Group, Load, Location, Order, Targets, Throughput, parse_duration,
};
use crate::session::{self, LoadFormat, exit_code};

/// The targets file that is read when neither a URL nor a file is named.
const USUAL_TARGETS: &str = "endpoints.txt";

/// Load a URL, or a file of them, once
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct LoadArgs {
    /// The URL to load
    #[arg(conflicts_with = "targets")]
    url: Option<String>,
    /// A file with one URL a line, picked at random [default without a URL: endpoints.txt]
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
    /// Requests in all
    #[arg(long, short = 'n', default_value_t = 10, conflicts_with = "duration")]
    requests: u64,
    /// Most requests in flight
    #[arg(long, short = 'c', default_value_t = 5)]
    concurrency: usize,
    /// Load for so long instead of a number of requests
    #[arg(long, short = 'z', value_name = "TIME", value_parser = positive, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// The method
    #[arg(long, short = 'm', default_value = "GET")]
    method: String,
    /// A header, as `Name: value` (repeatable)
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    headers: Vec<String>,
    /// The body
    #[arg(long, short = 'd', value_name = "TEXT", conflicts_with = "body_file")]
    body: Option<String>,
    /// A file that holds the body
    #[arg(short = 'D', long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// The body's content type
    #[arg(long, short = 'T', value_name = "TYPE")]
    content_type: Option<String>,
    /// The longest that one exchange may take
    #[arg(long, short = 't', value_name = "TIME", value_parser = positive, allow_hyphen_values = true)]
    timeout: Option<Duration>,
    /// The one status that is a success, instead of each 2xx
    #[arg(long, value_name = "STATUS")]
    expect_status: Option<u16>,
    /// HTTP/2: by ALPN over https, with prior knowledge over http
    #[arg(long)]
    http2: bool,
    /// Send everything through this proxy
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Follow redirects
    #[arg(long)]
    follow: bool,
    /// Seed of the random choice of targets [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: LoadFormat,
}

/// A duration in which something can happen.
fn positive(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("no request can be made in a time of 0".to_owned()),
        other => other.map_err(|error| error.to_string()),
    }
}

/// Loads, and prints what came of it.
pub(crate) fn run(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    let mut group = Group::new("load", Location::unknown());
    group.transport.http2 = args.http2;
    group.transport.follow = args.follow;
    group.transport.proxy.clone_from(&args.proxy);
    if let Some(timeout) = args.timeout {
        group.settings.timeout = timeout;
    }
    let load = match args.duration {
        Some(_) => Load::closed(args.concurrency),
        None => Load::Batch { requests: args.requests, concurrency: args.concurrency },
    };
    let (id, targets, throughput): (_, _, Option<Throughput>) =
        (CellId::new("load", "load"), args.targets()?, None);
    let location = Location::unknown();
    group.cells.push(Cell { id, targets, load, throughput, location, metrics: None });
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    Ok(exit_code(session::load(group, args.duration, seed, args.format)?))
}

/// The URLs of a targets file. A path has no service here that it could be asked of.
fn whole_urls(file: &Path) -> anyhow::Result<Targets> {
    let targets = Targets::from_file(file)?;
    if let Some(error) = targets.endpoints().iter().find_map(|endpoint| endpoint.resolve(None).err()) {
        bail!("the targets file {}: {error}", file.display());
    }
    Ok(targets)
}

impl LoadArgs {
    fn targets(&self) -> anyhow::Result<Targets> {
        let body = match (&self.body, &self.body_file) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(file)) => {
                fs::read(file).with_context(|| format!("the body file {} cannot be read", file.display()))?
            }
            (None, None) => Vec::new(),
        };
        let mut headers = Vec::new();
        for header in &self.headers {
            let (name, value) = header
                .split_once(':')
                .with_context(|| format!("the header `{header}` has no colon: write it as `Name: value`"))?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        headers.extend(self.content_type.iter().map(|kind| ("Content-Type".to_owned(), kind.clone())));
        let targets = match (&self.url, &self.targets) {
            (Some(url), _) => Targets::from(Endpoint::get(url.as_str())),
            (None, file) => whole_urls(file.as_deref().unwrap_or(Path::new(USUAL_TARGETS)))?,
        };
        Ok(targets.ordered(Order::Random).map(|endpoint| {
            let mut endpoint = Endpoint::new(&self.method, endpoint.url()).body(body.clone());
            for (name, value) in &headers {
                endpoint = endpoint.header(name, value);
            }
            match self.expect_status {
                Some(status) => endpoint.expect_status(status),
                None => endpoint,
            }
        }))
    }
}
