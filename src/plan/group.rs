//! Cells, the groups that hold them, and the plan that holds the groups. [`Plan::validated`] finds everything a user can get wrong
//! before a byte is sent.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::panic;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::plan::endpoint::Endpoint;
use crate::plan::id::CellId;
use crate::plan::load::Load;
use crate::plan::service::{Service, ServiceKind, ServiceUrl, has_placeholder, parse_service_text};
use crate::plan::settings::{Confirmation, Settings};
use crate::plan::targets::{Order, Targets};
use crate::plan::transport::{IpVersion, Transport};

/// Each request in flight needs a socket, and a process may only have so many files open.
const MAX_CONCURRENCY: usize = 10_000;
const DEFINITION_BYTES: usize = 8;

/// What one request handles. The report then shows bytes or elements per second next to requests per second.
///
/// ```
/// use plimsoll::Throughput;
/// # let mut harness = plimsoll::Harness::default();
/// let mut group = harness.benchmark_group("search");
/// group.throughput(Throughput::Elements(20)); // each request finds 20 ships
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Throughput {
    /// Bytes per request.
    Bytes(u64),
    /// Elements (rows, tokens, pictures) per request.
    Elements(u64),
}

/// One endpoint, or one targets file, under one load: what criterion calls a benchmark.
#[derive(Debug, Clone)]
pub struct Cell {
    pub id: CellId,
    pub targets: Targets,
    pub load: Load,
    pub throughput: Option<Throughput>,
    /// Where the bench file defines it.
    pub location: Location,
    /// The metrics to record. `None`: the metrics that a trial has enough requests for.
    pub metrics: Option<Vec<String>>,
}

impl Cell {
    /// A digest of what is requested: method, path with query, body and check of each endpoint, their order, the load, the transport
    /// of its group, and the arguments of the service. Hosts, headers and name are left out: a cell may be renamed, or run elsewhere
    /// with another token.
    pub fn definition(&self, group: &Group, service_args: &[String]) -> String {
        let mut digest = Sha256::new();
        let mut part = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        // Plain HTTP/1.1 adds nothing, here and below: older definitions without a transport stay the same.
        let transport = group.transport.to_string();
        if !transport.is_empty() {
            part(transport.as_bytes());
        }
        part(self.load.to_string().as_bytes());
        part(match self.targets.order {
            Order::Deck => b"deck",
            Order::Random => b"random",
        });
        for endpoint in &self.targets.endpoints {
            part(endpoint.method.as_bytes());
            part(group.target(&endpoint.url).as_bytes());
            part(&endpoint.body);
            part(endpoint.status.map(|status| status.to_string()).unwrap_or_default().as_bytes());
            part(endpoint.body_contains.as_deref().unwrap_or_default().as_bytes());
            // Left out if it is not set, so that older runs stay comparable.
            if let Some(text) = &endpoint.body_lacks {
                part(b"body lacks");
                part(text.as_bytes());
            }
        }
        service_args.iter().for_each(|arg| part(arg.as_bytes()));
        format!("sha256:{}", hex(&digest.finalize(), DEFINITION_BYTES))
    }

    fn check(&self, group: &Group) -> Result<(), PlanError> {
        let wrong = |problem: String| PlanError::cell(&self.location, &self.id, problem);
        if self.id.benchmark.to_string().trim().is_empty() {
            return Err(wrong("its id is empty".to_owned()));
        }
        match self.load.concurrency() {
            0 => {
                return Err(wrong(
                    "its load sends nothing: concurrency and requests must be at least 1".to_owned(),
                ));
            }
            1..=MAX_CONCURRENCY => {}
            _ => return Err(wrong("its load has more than 10,000 requests in flight".to_owned())),
        }
        for endpoint in &self.targets.endpoints {
            for service in group.services() {
                group.problem_with(endpoint, service).map_or(Ok(()), |problem| Err(wrong(problem)))?;
            }
        }
        Ok(())
    }
}

/// What follows the host of a complete URL.
fn path_and_query(url: &str) -> Cow<'_, str> {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    match after_scheme.find(['/', '?', '#']) {
        None => "/".into(),
        Some(at) if after_scheme[at..].starts_with('/') => after_scheme[at..].into(),
        Some(at) => format!("/{}", &after_scheme[at..]).into(),
    }
}

/// Whether a complete URL is one of https.
pub(crate) fn is_https(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"))
}

/// The line of a bench file that defines something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location(Option<&'static panic::Location<'static>>);

impl Location {
    /// The caller of the function that is marked `#[track_caller]`.
    #[track_caller]
    pub fn caller() -> Self {
        Self(Some(panic::Location::caller()))
    }

    /// For what a command line defines.
    pub const fn unknown() -> Self {
        Self(None)
    }

    /// Its file, as the compiler was given it, and its line from 1; `None` for what a command line defines.
    pub fn file_and_line(self) -> Option<(&'static str, u32)> {
        self.0.map(|location| (location.file(), location.line()))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(location) => write!(f, "{}:{}: ", location.file(), location.line()),
            None => Ok(()),
        }
    }
}

/// Cells that share a service and settings: what criterion calls a benchmark group.
#[derive(Debug, Clone)]
pub struct Group {
    /// The first part of each cell's id.
    pub name: String,
    /// A sentence for the report.
    pub about: Option<String>,
    pub service: Service,
    /// The service to compare with, in a duet.
    pub base: Option<Service>,
    pub transport: Transport,
    pub settings: Settings,
    /// In the order of their definition.
    pub cells: Vec<Cell>,
    /// Where the bench file opens it.
    pub location: Location,
}

impl Group {
    /// A group without cells and without a service.
    pub fn new(name: impl Into<String>, location: Location) -> Self {
        Self {
            name: name.into(),
            about: None,
            service: Service(ServiceKind::Absent),
            base: None,
            transport: Transport::default(),
            settings: Settings::default(),
            cells: Vec::new(),
            location,
        }
    }

    /// What is requested of a host: the path with its query, after `https:` if it is that.
    fn target(&self, url: &str) -> String {
        let scheme = |url: &str| if is_https(url) { "https:" } else { "" };
        match &self.service.0 {
            _ if !url.starts_with('/') => format!("{}{}", scheme(url), path_and_query(url)),
            // It may have a path of its own.
            ServiceKind::Url(ServiceUrl { url: service, .. }) => {
                format!("{}{}{url}", scheme(service), path_and_query(service).trim_end_matches('/'))
            }
            _ => url.to_owned(),
        }
    }

    /// Head's service, and base's in a duet.
    fn services(&self) -> impl Iterator<Item = &Service> + Clone {
        std::iter::once(&self.service).chain(&self.base)
    }

    /// Why an endpoint cannot be requested of a service. `None`: it can.
    fn problem_with(&self, endpoint: &Endpoint, service: &Service) -> Option<String> {
        let service_url = match &service.0 {
            ServiceKind::Absent => None,
            ServiceKind::Url(service) => Some(service.url.as_str()),
            // plimsoll starts it, on any port.
            _ if self.transport.ip_version == Some(IpVersion::V6) => Some("http://[::1]:1"),
            _ => Some("http://127.0.0.1:1"),
        };
        match endpoint.check().and_then(|()| endpoint.resolve(service_url)) {
            Ok(uri) => {
                let problem = self.transport.problem_with(&uri)?;
                Some(format!("the URL `{}` cannot be requested: {problem}", endpoint.url))
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// Why its services cannot be behind its Unix socket. `None`: they can, or it has none.
    fn problem_with_socket(&self) -> Option<String> {
        let path = self.transport.unix_socket.as_ref()?;
        let mut services = self.services();
        if services.clone().any(|service| matches!(service.0, ServiceKind::InProcess(_))) {
            return Some("a server in this process listens on a port, and not on a Unix socket".to_owned());
        }
        if services.all(|service| matches!(service.0, ServiceKind::Command(_))) {
            let problem = parse_service_text(path).err().map(|error| error.to_string());
            // Base may be built later, and runs in a folder of its own.
            let is_apart = path.starts_with('/') && has_placeholder(path);
            let shared = (!is_apart).then(|| {
                format!(
                    "launches would share the Unix socket `{path}`: write an absolute path with {{side}} or {{launch}} in it, as in \
                     /tmp/shop-{{side}}.sock"
                )
            });
            return problem.or(shared);
        }
        let is_shared = self.base.is_some();
        is_shared.then(|| format!("base and head cannot both listen on the Unix socket `{path}`"))
    }

    fn check(&self) -> Result<(), PlanError> {
        let (location, group) = (self.location, &self.name);
        let wrong = |problem: String| PlanError::Group { location, group: group.clone(), problem };
        if self.name.trim().is_empty() {
            return Err(wrong("its name is empty".to_owned()));
        }
        if let Some(problem) = self.settings.problem() {
            return Err(wrong(problem));
        }
        for service in self.services() {
            match &service.0 {
                ServiceKind::Url(service) => {
                    Endpoint::get(service.url.as_str())
                        .resolve(None)
                        .map_err(|error| wrong(error.to_string()))?;
                }
                ServiceKind::Command(command) => {
                    if let Some(problem) = command.problem() {
                        return Err(wrong(problem));
                    }
                }
                ServiceKind::Absent if self.base.is_some() => {
                    return Err(wrong(
                        "it has a base to compare with but no service: call `group.service(…)`".to_owned(),
                    ));
                }
                _ => {}
            }
            if let Some(problem) =
                service.ready_endpoint().and_then(|ready| self.problem_with(ready, service))
            {
                return Err(wrong(format!("its ready request: {problem}")));
            }
        }
        if let Some(problem) = self.transport.problem().or_else(|| self.problem_with_socket()) {
            return Err(wrong(problem));
        }
        self.cells.iter().try_for_each(|cell| cell.check(self))
    }
}

/// Everything that one call measures.
#[derive(Debug, Default)]
pub struct Plan {
    /// The bench target or command. Names the report's folder.
    pub bench: String,
    /// In the order of their definition.
    pub groups: Vec<Group>,
    /// What went wrong while the plan was built.
    pub errors: Vec<PlanError>,
    /// How many times to measure all cells.
    pub runs: usize,
    /// Seed of every random order.
    pub seed: u64,
    /// In a duet, stop the other side while one side is measured.
    pub alone: bool,
    /// How a duet measures candidates again. `None`: it does not.
    pub confirmation: Option<Confirmation>,
}

/// What is wrong in a bench file or a command line.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("{location}group `{group}`: {problem}")]
    Group { location: Location, group: String, problem: String },
    #[error("{location}cell `{cell}`: {problem}")]
    Cell { location: Location, cell: CellId, problem: String },
    #[error("{0}")]
    Flag(&'static str),
}

impl PlanError {
    pub(crate) fn cell(location: &Location, cell: &CellId, problem: impl Into<String>) -> Self {
        Self::Cell { location: *location, cell: cell.clone(), problem: problem.into() }
    }
}

impl Plan {
    /// The plan itself, if everything in it can be measured.
    ///
    /// # Errors
    /// The first thing that is wrong, with its file, line, group and cell.
    pub fn validated(mut self) -> Result<Self, PlanError> {
        if let Some(error) = self.errors.drain(..).next() {
            return Err(error);
        }
        if self.runs == 0 {
            return Err(PlanError::Flag("--runs is 0: at least one run is needed"));
        }
        if let Some(problem) = self.confirmation.as_ref().and_then(Confirmation::problem) {
            return Err(PlanError::Flag(problem));
        }
        let mut ids = HashSet::new();
        for group in &self.groups {
            group.check()?;
            for cell in &group.cells {
                if !ids.insert(&cell.id) {
                    let problem = "it is defined twice: give one of the two another id";
                    return Err(PlanError::cell(&cell.location, &cell.id, problem));
                }
            }
        }
        Ok(self)
    }

    /// The programs that its groups start, each once.
    pub(crate) fn programs(&self) -> Vec<String> {
        let mut programs = Vec::new();
        for group in &self.groups {
            if let ServiceKind::Command(command) = &group.service.0
                && !programs.contains(&command.program)
            {
                programs.push(command.program.clone());
            }
        }
        programs
    }

    /// The number of cells in all groups.
    pub fn cells(&self) -> usize {
        self.groups.iter().map(|group| group.cells.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(endpoint: Endpoint, load: Load) -> Cell {
        Cell {
            id: CellId::new("g", "c"),
            targets: endpoint.into(),
            load,
            throughput: None,
            location: Location::caller(),
            metrics: None,
        }
    }

    fn plan(endpoint: Endpoint, load: Load) -> Plan {
        let mut group = Group::new("g", Location::caller());
        group.service = Service::url("http://127.0.0.1:1");
        group.cells.push(cell(endpoint, load));
        Plan { bench: "b".into(), groups: vec![group], runs: 1, seed: 1, ..Plan::default() }
    }

    fn error(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = plan(Endpoint::get("/"), Load::closed(1));
        change(&mut plan);
        plan.validated().unwrap_err().to_string()
    }

    #[test]
    fn the_definition_depends_on_the_request_and_the_arguments_but_not_on_the_host() {
        let args = ["--x".to_owned()];
        let group = Group::new("g", Location::unknown());
        let definition = |endpoint, load| cell(endpoint, load).definition(&group, &args);
        let here = definition(Endpoint::get("/a?b"), Load::closed(1));
        // Baselines hold it.
        assert_eq!(here, "sha256:9a47b8241637a486");
        assert_eq!(here, definition(Endpoint::get("http://h:1/a?b").header("token", "t"), Load::closed(1)));
        assert_ne!(here, definition(Endpoint::get("/a?c"), Load::closed(1)));
        assert_ne!(here, definition(Endpoint::get("/a?b"), Load::closed(2)));
        assert_ne!(here, definition(Endpoint::get("/a?b").body("x"), Load::closed(1)));
        assert_ne!(here, definition(Endpoint::get("/a?b").expect_body_lacks("x"), Load::closed(1)));
        assert_ne!(here, cell(Endpoint::get("/a?b"), Load::closed(1)).definition(&group, &[]));
    }

    #[test]
    fn the_definition_depends_on_the_transport() {
        let definition = |url: &str, edit: &dyn Fn(&mut Group)| {
            let mut group = Group::new("g", Location::unknown());
            edit(&mut group);
            cell(Endpoint::get(url), Load::closed(1)).definition(&group, &[])
        };
        let plain = definition("/a", &|_| {});
        assert_eq!(plain, definition("/a", &|group| group.service = Service::url("http://h:1/")));
        let proxy = |url: &'static str| move |group: &mut Group| group.transport.proxy = Some(url.to_owned());
        let others = [
            definition("/a", &|group| group.transport.http2 = true),
            definition("/a", &|group| group.transport.follow = true),
            definition("/a", &proxy("http://p:1")),
            definition("/a", &proxy("socks5://p:1")),
            definition("https://h/a", &|_| {}),
            definition("/a", &|group| group.service = Service::url("http://h:1/v2")),
            definition("/a", &|group| group.transport.unix_socket = Some("/x".to_owned())),
            definition("/a", &|group| group.transport.ip_version = Some(IpVersion::V4)),
            definition("/a", &|group| group.transport.ip_version = Some(IpVersion::V6)),
            definition("/a", &|group| group.transport.no_keepalive = true),
        ];
        for (index, other) in others.iter().enumerate() {
            assert!(*other != plain && !others[..index].contains(other), "{index}");
        }
        assert_eq!(others[4], definition("/a", &|group| group.service = Service::url("HTTPS://h:1")));
        assert_eq!(others[2], definition("/a", &proxy("http://me:secret@elsewhere:2")));
    }

    #[test]
    fn where_connections_lead_is_not_part_of_the_definition() {
        let definition = |edit: &dyn Fn(&mut Transport)| {
            let mut group = Group::new("g", Location::unknown());
            edit(&mut group.transport);
            cell(Endpoint::get("http://h/a"), Load::closed(1)).definition(&group, &[])
        };
        let detour =
            |transport: &mut Transport| transport.connect_to = vec!["::127.0.0.1:1".parse().unwrap()];
        assert_eq!(definition(&|_| {}), definition(&detour));
        let socket =
            |path: &'static str| move |transport: &mut Transport| transport.unix_socket = Some(path.into());
        assert_eq!(definition(&socket("/a")), definition(&socket("/b")));
    }

    #[test]
    fn a_unix_socket_must_fit_the_services_behind_it() {
        let problem = |path: &str, service: Service, base: Option<Service>| {
            let mut group = Group::new("g", Location::unknown());
            (group.transport.unix_socket, group.service, group.base) = (Some(path.to_owned()), service, base);
            group.check().err().map(|error| error.to_string()).unwrap_or_default()
        };
        let command = || Service::from(Service::command("./shop"));
        let url = || Service::url("http://shop.example");
        assert_eq!(problem("/tmp/shop.sock", url(), None), "");
        assert_eq!(problem("/tmp/{launch}.sock", command(), None), "");
        assert_eq!(problem("/tmp/{shop}.sock", url(), None), "", "the path is that of somebody else");
        assert_eq!(problem("/tmp/{side}.sock", command(), Some(command())), "");
        for (path, base) in
            [("/tmp/shop.sock", None), ("/tmp/{{side}}.sock", Some(command())), ("{side}.sock", None)]
        {
            let shared = problem(path, command(), base);
            let expected = format!(
                "launches would share the Unix socket `{path}`: write an absolute path with {{side}} or"
            );
            assert!(shared.contains(&expected), "{shared}");
        }
        assert!(problem("/tmp/{side}.sock", url(), Some(url())).ends_with("`/tmp/{side}.sock`"));
        assert!(problem("/tmp/{Side}.sock", command(), None).contains("`{Side}` is not a placeholder"));
        let in_process = Service::in_process(|_| async {});
        assert!(problem("/tmp/shop.sock", in_process, None).contains("listens on a port"));
    }

    #[test]
    fn the_transport_must_be_able_to_request_both_sides_and_whether_they_are_ready() {
        let problem = |service: Service, base: Option<Service>| {
            let mut group = plan(Endpoint::get("/"), Load::closed(1)).groups.remove(0);
            (group.transport.ip_version, group.service, group.base) = (Some(IpVersion::V6), service, base);
            group.check().err().map(|error| error.to_string()).unwrap_or_default()
        };
        let (v4, v6) = (|| Service::url("http://127.0.0.1:1"), || Service::url("http://[::1]:1"));
        assert_eq!(problem(v6(), Some(v6())), "");
        let wrong = "127.0.0.1 is not an IPv6 address";
        assert!(problem(v4(), None).contains(wrong) && problem(v6(), Some(v4())).contains(wrong));
        let ready = problem(v6().ready("http://127.0.0.1:1/up"), None);
        assert!(
            ready.contains("its ready request: the URL `http://127.0.0.1:1/up`") && ready.contains(wrong),
            "{ready}"
        );
    }

    #[test]
    fn the_query_is_part_of_the_definition_wherever_it_begins() {
        for (url, expected) in [
            ("http://h", "/"),
            ("http://h/", "/"),
            ("http://h?a=b", "/?a=b"),
            ("http://h?to=/x", "/?to=/x"),
            ("http://h/a?to=http://x/y", "/a?to=http://x/y"),
            ("/a?to=http://x/y", "/a?to=http://x/y"),
        ] {
            assert_eq!(Group::new("g", Location::unknown()).target(url), expected, "{url}");
        }
    }

    #[test]
    fn a_valid_plan_passes() {
        assert!(plan(Endpoint::get("/"), Load::closed(1)).validated().is_ok());
    }

    #[test]
    fn errors_name_file_line_group_and_cell() {
        let error = plan(Endpoint::get("/"), Load::closed(0)).validated().unwrap_err().to_string();
        assert!(
            error.contains("group.rs:") && error.contains("cell `g/c`: its load sends nothing"),
            "{error}"
        );
        let error = plan(Endpoint::get("hello"), Load::closed(1)).validated().unwrap_err().to_string();
        assert!(error.contains("no scheme"), "{error}");
    }

    #[test]
    fn two_cells_with_the_same_id_are_refused() {
        let error = error(|plan| {
            let cell = plan.groups[0].cells[0].clone();
            plan.groups[0].cells.push(cell);
        });
        assert!(error.contains("cell `g/c`: it is defined twice"), "{error}");
    }

    #[test]
    fn a_path_needs_a_service() {
        let error = error(|plan| plan.groups[0].service = Service(ServiceKind::Absent));
        assert!(error.contains("it has no host"), "{error}");
    }

    #[test]
    fn a_base_needs_a_service_to_compare_with() {
        let error = error(|plan| {
            plan.groups[0].base = Some(Service::url("http://127.0.0.1:2"));
            plan.groups[0].service = Service(ServiceKind::Absent);
        });
        assert!(error.contains("group `g`: it has a base to compare with but no service"), "{error}");
    }

    #[test]
    fn services_and_proxies_that_cannot_work_are_refused() {
        let error_of = |service: Service| error(|plan| plan.groups[0].service = service);
        assert!(error_of(Service::command("").into()).contains("program of its service is empty"));
        assert!(error_of(Service::url("localhost")).contains("no scheme"));
        let unknown = error_of(Service::command("./server").env("A", "{Port}").into());
        assert!(unknown.contains("group `g`: `{Port}` is not a placeholder"), "{unknown}");
        let bad_ready = Service::url("http://h:1").ready(Endpoint::new("GE T", "/x"));
        assert!(error_of(bad_ready).contains("its ready request: `GE T` is not an HTTP method"));
        let unknown = error_of(Service::command("./server").before_launch(Service::command("")).into());
        assert!(unknown.contains("program of before_launch or after_launch is empty"), "{unknown}");
        let proxy = error(|plan| plan.groups[0].transport.proxy = Some("h:1".to_owned()));
        assert!(proxy.contains("the proxy `h:1` is not an http://"), "{proxy}");
    }
}
