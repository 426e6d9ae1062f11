//! `plimsoll load`: the arguments, and the cell that they describe.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::plan::{
    Cell, CellId, ConnectTo, Endpoint, Group, IpVersion, Load, Location, Order, Targets, parse_duration,
};
use crate::session::{self, LoadFormat, exit_code};

/// The targets file if neither a URL nor a file is given.
const DEFAULT_TARGETS: &str = "endpoints.txt";

/// Send requests to a URL, or to the URLs in a file, and print throughput and latency
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(crate) struct LoadArgs {
    /// URL to load; http:// may be left out
    #[arg(conflicts_with = "targets")]
    url: Option<String>,
    /// File with one request per line, picked at random [default without a URL: endpoints.txt]
    ///
    /// Each line is a URL, or a JSON object such as
    /// {"method": "POST", "url": "http://…", "headers": {"X": "y"}, "body": "…"}.
    /// "body_file" names a file with the body, relative to the folder of FILE.
    /// Method, headers and body that are given as options replace those of all lines.
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
    /// Number of requests
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10, conflicts_with = "duration")]
    requests: u64,
    /// Number of connections to run concurrently, each with one request in flight
    #[arg(long, short = 'c', value_name = "N", default_value_t = 5)]
    concurrency: usize,
    /// Send requests for this time, such as 10s or 3m, instead of a number of requests
    #[arg(long, short = 'z', value_name = "TIME", value_parser = positive, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// HTTP method, in lower or upper case [default: GET, or POST if there is a body]
    #[arg(long, short = 'm', short_alias = 'X')]
    method: Option<String>,
    /// HTTP header, such as `Accept: text/html` (repeatable)
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    headers: Vec<String>,
    /// Request body; @FILE reads it from a file, @- from standard input, and several are joined by &, as in curl
    #[arg(long, short = 'd', value_name = "TEXT", conflicts_with = "body_file")]
    body: Vec<String>,
    /// Request body from this file; - is standard input
    #[arg(short = 'D', long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// Content-Type header, such as application/json
    #[arg(long, short = 'T', value_name = "TYPE")]
    content_type: Option<String>,
    /// Timeout for each request
    #[arg(long, short = 't', value_name = "TIME", value_parser = positive, allow_hyphen_values = true)]
    #[arg(default_value = "30s")]
    timeout: Duration,
    /// Wait up to this time for a response that is not a 5xx. Methods other than GET and HEAD are not sent: then the
    /// port must accept connections
    #[arg(long, value_name = "TIME", value_parser = positive, allow_hyphen_values = true)]
    wait: Option<Duration>,
    /// Count only this status as a success [default: every 2xx]
    #[arg(long, value_name = "STATUS")]
    expect_status: Option<u16>,
    /// Count only responses whose body contains this text as successes
    #[arg(long, value_name = "TEXT")]
    expect_body: Option<String>,
    /// Count responses whose body contains this text as failures
    #[arg(long, value_name = "TEXT")]
    reject_body: Option<String>,
    /// JSON pointer to the number of input tokens in a response [default: /input_tokens, /usage/prompt_tokens or
    /// /usage/input_tokens, in responses that are not compressed]
    #[arg(long, value_name = "POINTER")]
    input_tokens: Option<String>,
    /// JSON pointer to the number of output tokens in a response [default: /output_tokens, /usage/completion_tokens or
    /// /usage/output_tokens]
    #[arg(long, value_name = "POINTER")]
    output_tokens: Option<String>,
    /// Use HTTP/2: negotiated for https, with prior knowledge for http
    #[arg(long)]
    http2: bool,
    /// Send all requests through this proxy
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Follow redirects
    #[arg(long)]
    follow: bool,
    /// Connect to this Unix socket instead of the host of the URL
    #[arg(long, value_name = "PATH")]
    unix_socket: Option<String>,
    /// Connect to the second host and port for requests to the first, as in curl (repeatable)
    #[arg(long, value_name = "HOST:PORT:HOST:PORT")]
    connect_to: Vec<ConnectTo>,
    /// Use only IPv4 addresses
    #[arg(long, short = '4', conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use only IPv6 addresses
    #[arg(long, short = '6')]
    ipv6: bool,
    /// Open a new connection for each request
    #[arg(long)]
    no_keepalive: bool,
    /// Seed of the random choice of lines [default: a new one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: LoadFormat,
}

fn positive(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than 0".to_owned()),
        other => other.map_err(|error| error.to_string()),
    }
}

pub(crate) fn run(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    let mut group = Group::new("load", Location::unknown());
    group.transport.http2 = args.http2;
    group.transport.follow = args.follow;
    group.transport.proxy.clone_from(&args.proxy);
    group.transport.unix_socket.clone_from(&args.unix_socket);
    group.transport.connect_to.clone_from(&args.connect_to);
    group.transport.ip_version = args.ipv4.then_some(IpVersion::V4).or(args.ipv6.then_some(IpVersion::V6));
    group.transport.no_keepalive = args.no_keepalive;
    group.settings.timeout = args.timeout;
    let load = match args.duration {
        Some(_) => Load::closed(args.concurrency),
        None => Load::Batch { requests: args.requests, concurrency: args.concurrency },
    };
    group.cells.push(Cell {
        id: CellId::new("load", "load"),
        targets: args.targets()?,
        load,
        throughput: None,
        location: Location::unknown(),
        metrics: None,
    });
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    Ok(exit_code(session::load(group, args.duration, args.wait, seed, args.format)?))
}

/// A URL without a scheme means http.
fn with_scheme(url: &str) -> String {
    let is_scheme = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let has_scheme = url.split_once("://").is_some_and(|(before, _)| is_scheme(before));
    if has_scheme || url.starts_with('/') { url.to_owned() } else { format!("http://{url}") }
}

/// The content of a body file.
fn read_body(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file != Path::new("-") {
        return fs::read(file).with_context(|| format!("the body file {} cannot be read", file.display()));
    }
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body).context("the body cannot be read from standard input")?;
    Ok(body)
}

impl LoadArgs {
    fn body(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let given = self.body.iter().map(|text| match text.strip_prefix('@') {
            Some(file) => read_body(Path::new(file)),
            None => Ok(text.clone().into_bytes()),
        });
        let in_file = self.body_file.iter().map(|file| read_body(file));
        let parts: Vec<Vec<u8>> = given.chain(in_file).collect::<anyhow::Result<_>>()?;
        Ok((!parts.is_empty()).then(|| parts.join(&b'&')))
    }

    fn headers(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut headers = Vec::new();
        for header in &self.headers {
            let (name, value) = header
                .split_once(':')
                .with_context(|| format!("the header `{header}` has no colon: write it as `Name: value`"))?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        headers.extend(self.content_type.iter().map(|kind| ("Content-Type".to_owned(), kind.clone())));
        Ok(headers)
    }

    /// The requests. Options take precedence over what a targets file says.
    fn targets(&self) -> anyhow::Result<Targets> {
        let (body, headers) = (self.body()?, self.headers()?);
        let targets = match (&self.url, &self.targets) {
            (Some(url), _) => Targets::from(Endpoint::get(with_scheme(url))),
            (None, Some(file)) => Targets::read(file, None)?,
            (None, None) if Path::new(DEFAULT_TARGETS).exists() => {
                Targets::read(Path::new(DEFAULT_TARGETS), None)?
            }
            (None, None) => bail!("no URL to load: pass one, or a file of URLs with --targets"),
        };
        Ok(targets.ordered(Order::Random).map(|mut endpoint| {
            let implied = (body.is_some() && endpoint.method == "GET").then_some("POST");
            if let Some(method) = self.method.as_deref().or(implied) {
                endpoint = endpoint.with_method(method);
            }
            if let Some(body) = &body {
                endpoint = endpoint.body(body.clone());
            }
            for (name, _) in &headers {
                endpoint = endpoint.without_header(name);
            }
            for (name, value) in &headers {
                endpoint = endpoint.header(name, value);
            }
            if let Some(status) = self.expect_status {
                endpoint = endpoint.expect_status(status);
            }
            if let Some(text) = &self.expect_body {
                endpoint = endpoint.expect_body_contains(text);
            }
            if let Some(text) = &self.reject_body {
                endpoint = endpoint.expect_body_lacks(text);
            }
            endpoint.input_tokens.clone_from(&self.input_tokens);
            endpoint.output_tokens.clone_from(&self.output_tokens);
            endpoint
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_scheme_means_http() {
        let cases = [
            ("localhost:8080/hello", "http://localhost:8080/hello"),
            ("127.0.0.1", "http://127.0.0.1"),
            ("[::1]:80/x?to=https://y", "http://[::1]:80/x?to=https://y"),
            ("https://host/", "https://host/"),
            ("ftp://host/", "ftp://host/"),
            ("/path", "/path"),
        ];
        for (url, expected) in cases {
            assert_eq!(with_scheme(url), expected);
        }
    }
}
