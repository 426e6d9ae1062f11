//! What bench files are written with: `Harness`, `BenchmarkGroup`, `bench_group!` and `bench_main!`.

use std::time::Duration;

use crate::plan::{
    BenchmarkId, Cell, CellId, Group, IntoTargets, IpVersion, Limit, Load, Location, Plan, PlanError,
    Service, Settings, Throughput,
};

/// Collects the groups of a bench file. Each function of [`bench_group!`](crate::bench_group) gets one.
///
/// Its setters are the defaults of all groups. They have criterion's names wherever the meaning is the same. A value that is out of
/// range is reported with the group's file and line before anything is measured (exit code 2).
///
/// ```
/// use plimsoll::{Harness, bench_group};
/// use std::time::Duration;
///
/// fn search(harness: &mut Harness) {
///     harness.benchmark_group("search").finish();
/// }
///
/// bench_group! {
///     name = benches;
///     config = Harness::default()
///         .sample_size(50)                           // rounds per cell
///         .measurement_time(Duration::from_secs(20)) // all rounds of a cell together
///         .warm_up_time(Duration::from_millis(500))  // per launch
///         .launches(10)                              // starts of the service
///         .confidence_level(0.99)                    // of the displayed intervals
///         .significance_level(0.001)                 // false alarms: 0.1% of all calls
///         .noise_threshold(0.02)                     // ignore changes below 2%
///         .nresamples(10_000);
///     targets = search
/// }
/// # benches(&mut Harness::default());
/// ```
#[derive(Debug, Default)]
pub struct Harness {
    settings: Settings,
    groups: Vec<Group>,
    errors: Vec<PlanError>,
}

impl Harness {
    /// Opens a group. `name` is the first part of the ids of its cells. Two groups may have the same name if their cells differ.
    #[track_caller]
    pub fn benchmark_group(&mut self, name: impl Into<String>) -> BenchmarkGroup<'_> {
        let mut group = Group::new(name, Location::caller());
        group.settings = self.settings.clone();
        self.groups.push(group);
        BenchmarkGroup { harness: self, throughput: None }
    }

    /// Number of rounds per cell. At least 10. Default: 30.
    #[must_use]
    pub fn sample_size(mut self, rounds: usize) -> Self {
        self.settings.sample_size = rounds;
        self
    }

    /// Measuring time of all rounds of a cell together, in a duet per side. Default: 10 s.
    #[must_use]
    pub fn measurement_time(mut self, time: Duration) -> Self {
        self.settings.measurement_time = time;
        self
    }

    /// Warm-up time of each launch, shared by its cells. Default: 200 ms.
    #[must_use]
    pub fn warm_up_time(mut self, time: Duration) -> Self {
        self.settings.warm_up_time = time;
        self
    }

    /// Number of times to start the service in one run. Default: as many as start within a third of the measuring time, and at least 5.
    #[must_use]
    pub fn launches(mut self, launches: usize) -> Self {
        self.settings.launches = Some(launches);
        self
    }

    /// Confidence level of the displayed intervals, between 0 and 1. Default: 0.95.
    #[must_use]
    pub fn confidence_level(mut self, level: f64) -> Self {
        self.settings.confidence_level = level;
        self
    }

    /// Probability that a whole call reports a regression although nothing changed, between 0 and 1. Default: 0.01.
    #[must_use]
    pub fn significance_level(mut self, level: f64) -> Self {
        self.settings.significance_level = level;
        self
    }

    /// Changes smaller than this fraction are ignored. Default: 0.05, in a duet 0.01.
    #[must_use]
    pub fn noise_threshold(mut self, threshold: f64) -> Self {
        self.settings.noise_threshold = Some(threshold);
        self
    }

    /// Number of bootstrap resamples, from 1,000 to 10 million. Default: 100,000.
    #[must_use]
    pub fn nresamples(mut self, resamples: usize) -> Self {
        self.settings.nresamples = resamples;
        self
    }

    /// Runs `define` with the settings of another harness as defaults: `config = …` in `bench_group!`.
    #[doc(hidden)]
    pub fn with_settings_of(&mut self, config: &Self, define: impl FnOnce(&mut Self)) {
        let previous = std::mem::replace(&mut self.settings, config.settings.clone());
        define(self);
        self.settings = previous;
    }

    pub(crate) fn into_plan(self, bench: &str) -> Plan {
        Plan { bench: bench.to_owned(), groups: self.groups, errors: self.errors, ..Plan::default() }
    }
}

/// A group of cells that share a service and settings.
///
/// Its methods only plan. A bad value is reported with file and line before anything is measured (exit code 2).
///
/// ```
/// use plimsoll::{BenchmarkId, Endpoint, Harness, Limit, Load, Service};
/// use std::time::Duration;
///
/// fn orders(harness: &mut Harness) {
///     let mut group = harness.benchmark_group("orders");
///     group.about("placing an order")
///         .service(Service::command("./shop").args(["--port", "{port}"]).ready("/health"))
///         .limit(Limit::p99(Duration::from_millis(50)));
///     for concurrency in [1, 10, 100] {
///         group.bench_endpoint(
///             BenchmarkId::new("place", concurrency),
///             Endpoint::post("/orders").body("{}").expect_status(201),
///             Load::closed(concurrency),
///         );
///     }
///     group.finish();
/// }
/// # orders(&mut Harness::default());
/// ```
///
/// Settings that are not given here come from the [`Harness`]:
///
/// ```
/// # use plimsoll::{Harness, Throughput};
/// # use std::time::Duration;
/// use plimsoll::metric;
/// # let mut harness = Harness::default();
/// let mut group = harness.benchmark_group("search");
/// group
///     .sample_size(50)                            // rounds per cell
///     .measurement_time(Duration::from_secs(20))  // all rounds of a cell together
///     .warm_up_time(Duration::from_millis(500))   // per launch
///     .launches(10)                               // starts of the service
///     .judge([metric::LATENCY_P99, metric::OUTPUT_TOKEN_THROUGHPUT])
///     .throughput(Throughput::Elements(20))       // each request finds 20: shows elements per second
///     .min_success_ratio(0.99)
///     .confidence_level(0.99)                     // of the displayed intervals
///     .significance_level(0.001)                  // false alarms: 0.1% of all calls
///     .noise_threshold(0.02)                      // ignore changes below 2%
///     .equivalence_margin(0.05)                          // call changes below 5% unchanged
///     .nresamples(10_000)
///     .timeout(Duration::from_secs(5))
///     .connect_timeout(Duration::from_secs(1))
///     .ready_timeout(Duration::from_secs(60));
/// ```
#[derive(Debug)]
pub struct BenchmarkGroup<'a> {
    /// This group is its last.
    harness: &'a mut Harness,
    throughput: Option<Throughput>,
}

impl BenchmarkGroup<'_> {
    fn group(&mut self) -> &mut Group {
        self.harness.groups.last_mut().expect("no other group can be opened before this one is dropped")
    }

    fn settings(&mut self) -> &mut Settings {
        &mut self.group().settings
    }

    /// Sets the service to load. Without one, each endpoint needs a complete URL.
    pub fn service(&mut self, service: impl Into<Service>) -> &mut Self {
        self.group().service = service.into();
        self
    }

    /// Sets the old service to compare with: base and head are then measured alternately, and no baseline is needed. The flags
    /// `--base-ref`, `--base-command` and `--base-url` set it for all groups.
    ///
    /// ```
    /// # use plimsoll::{Harness, Service};
    /// # let mut harness = Harness::default();
    /// let mut group = harness.benchmark_group("orders");
    /// group.service(Service::command("./shop")).base(Service::command("./shop-before"));
    /// ```
    pub fn base(&mut self, base: impl Into<Service>) -> &mut Self {
        self.group().base = Some(base.into());
        self
    }

    /// Describes the group in a sentence, for the report.
    pub fn about(&mut self, about: impl Into<String>) -> &mut Self {
        self.group().about = Some(about.into());
        self
    }

    /// Adds a cell: an endpoint, or a file of endpoints, under a load.
    #[track_caller]
    pub fn bench_endpoint(
        &mut self,
        id: impl Into<BenchmarkId>,
        targets: impl IntoTargets,
        load: Load,
    ) -> &mut Self {
        let (location, throughput) = (Location::caller(), self.throughput);
        let id = CellId::new(self.group().name.clone(), id);
        match targets.into_targets() {
            Ok(targets) => {
                self.group().cells.push(Cell { id, targets, load, throughput, location, metrics: None });
            }
            Err(error) => self.harness.errors.push(PlanError::cell(&location, &id, error.to_string())),
        }
        self
    }

    /// Judges these metrics, named as in [`metric`](crate::metric). Default: the success ratio, the median latency, the highest of
    /// p99, p95 and p90 that the cell has enough requests for, and throughput.
    pub fn judge<S: Into<String>>(&mut self, metrics: impl IntoIterator<Item = S>) -> &mut Self {
        self.settings().judged = Some(metrics.into_iter().map(Into::into).collect());
        self
    }

    /// Adds an absolute limit for each cell. A cell that breaks it ends the call with exit code 1, even without a baseline.
    pub fn limit(&mut self, limit: Limit) -> &mut Self {
        self.settings().limits.push(limit);
        self
    }

    /// Sets what one request of the following cells handles, to show bytes or elements per second.
    pub fn throughput(&mut self, throughput: Throughput) -> &mut Self {
        self.throughput = Some(throughput);
        self
    }

    /// Cells with a smaller fraction of successful requests are invalid (exit code 3). Default: 0.95.
    pub fn min_success_ratio(&mut self, ratio: f64) -> &mut Self {
        self.settings().min_success_ratio = ratio;
        self
    }

    /// Number of rounds per cell. At least 10. Default: 30.
    pub fn sample_size(&mut self, rounds: usize) -> &mut Self {
        self.settings().sample_size = rounds;
        self
    }

    /// Measuring time of all rounds of a cell together, in a duet per side. Default: 10 s.
    pub fn measurement_time(&mut self, time: Duration) -> &mut Self {
        self.settings().measurement_time = time;
        self
    }

    /// Warm-up time of each launch, shared by its cells. Default: 200 ms.
    pub fn warm_up_time(&mut self, time: Duration) -> &mut Self {
        self.settings().warm_up_time = time;
        self
    }

    /// Number of times to start the service in one run. Default: as many as start within a third of the measuring time, and at least 5.
    pub fn launches(&mut self, launches: usize) -> &mut Self {
        self.settings().launches = Some(launches);
        self
    }

    /// Confidence level of the displayed intervals, between 0 and 1. Default: 0.95.
    pub fn confidence_level(&mut self, level: f64) -> &mut Self {
        self.settings().confidence_level = level;
        self
    }

    /// Probability that a whole call reports a regression although nothing changed, between 0 and 1. Default: 0.01.
    pub fn significance_level(&mut self, level: f64) -> &mut Self {
        self.settings().significance_level = level;
        self
    }

    /// Changes smaller than this fraction are ignored. Default: 0.05, in a duet 0.01.
    pub fn noise_threshold(&mut self, threshold: f64) -> &mut Self {
        self.settings().noise_threshold = Some(threshold);
        self
    }

    /// Changes that are shown to be smaller than this fraction are `unchanged`. Default: 0.10, in a duet 0.05.
    pub fn equivalence_margin(&mut self, margin: f64) -> &mut Self {
        self.settings().equivalence_margin = Some(margin);
        self
    }

    /// Number of bootstrap resamples, from 1,000 to 10 million. Default: 100,000.
    pub fn nresamples(&mut self, resamples: usize) -> &mut Self {
        self.settings().nresamples = resamples;
        self
    }

    /// Maximum time from sending a request to the end of its response. Default: 30 s.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.settings().timeout = timeout;
        self
    }

    /// Maximum time to open a connection. Default: 5 s.
    pub fn connect_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.settings().connect_timeout = timeout;
        self
    }

    /// Maximum time until the service is ready, wherever it runs. Default: 30 s.
    pub fn ready_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.settings().ready_timeout = timeout;
        self
    }

    /// Uses HTTP/2: by ALPN over https, with prior knowledge over http. Needs the feature `reqwest`, whose client is used. Its
    /// latencies do not use the kernel's receive time.
    ///
    /// ```
    /// # let mut harness = plimsoll::Harness::default();
    /// # let mut group = harness.benchmark_group("search");
    /// group.http2().follow_redirects().proxy("http://127.0.0.1:3128");
    /// ```
    pub fn http2(&mut self) -> &mut Self {
        self.group().transport.http2 = true;
        self
    }

    /// Follows up to ten redirects. Needs the feature `reqwest`, as [`http2`](Self::http2) does.
    pub fn follow_redirects(&mut self) -> &mut Self {
        self.group().transport.follow = true;
        self
    }

    /// Sends all requests through a proxy: `http://…`, `https://…` or `socks5://…`. Needs the feature `reqwest`, as
    /// [`http2`](Self::http2) does.
    pub fn proxy(&mut self, proxy: impl Into<String>) -> &mut Self {
        self.group().transport.proxy = Some(proxy.into());
        self
    }

    /// Connects to the Unix socket with this path instead of the host of each URL, also to see whether the service is ready. Kernel
    /// receive times are not available for Unix sockets.
    ///
    /// If plimsoll starts the service, the path must be absolute and have a [placeholder](Service::command) such as `{side}`, so that
    /// base and head do not share it. The socket is removed after each launch.
    ///
    /// ```
    /// # use plimsoll::{Harness, Service};
    /// # let mut harness = Harness::default();
    /// let mut group = harness.benchmark_group("shop");
    /// let path = "/tmp/shop-{side}-{launch}.sock";
    /// group.service(Service::command("./shop").args(["--listen", path])).unix_socket(path);
    /// ```
    pub fn unix_socket(&mut self, path: impl Into<String>) -> &mut Self {
        self.group().transport.unix_socket = Some(path.into());
        self
    }

    /// Connects to another place for requests to a host and port, written `HOST:PORT:HOST:PORT` as curl's `--connect-to`. The `Host`
    /// header and TLS keep the host of the URL. An empty host or port means any in the first half, and the same one in the second
    /// half. If several match a request, the first one counts.
    ///
    /// ```
    /// # use plimsoll::{Harness, Service};
    /// # let mut harness = Harness::default();
    /// let mut group = harness.benchmark_group("shop");
    /// group.service(Service::url("http://shop.example")).connect_to("shop.example:80:127.0.0.1:8080");
    /// ```
    #[track_caller]
    pub fn connect_to(&mut self, place: impl AsRef<str>) -> &mut Self {
        match place.as_ref().parse() {
            Ok(place) => self.group().transport.connect_to.push(place),
            Err(error) => {
                let (location, group) = (Location::caller(), self.group().name.clone());
                self.harness.errors.push(PlanError::Group { location, group, problem: error.to_string() });
            }
        }
        self
    }

    /// Uses only IPv4 addresses. The last call of this method and [`ipv6`](Self::ipv6) counts.
    ///
    /// ```
    /// # let mut harness = plimsoll::Harness::default();
    /// # let mut group = harness.benchmark_group("shop");
    /// group.ipv4().no_keepalive();
    /// ```
    pub fn ipv4(&mut self) -> &mut Self {
        self.group().transport.ip_version = Some(IpVersion::V4);
        self
    }

    /// Uses only IPv6 addresses. The last call of this method and [`ipv4`](Self::ipv4) counts.
    ///
    /// ```
    /// # let mut harness = plimsoll::Harness::default();
    /// # let mut group = harness.benchmark_group("shop");
    /// group.ipv6();
    /// ```
    pub fn ipv6(&mut self) -> &mut Self {
        self.group().transport.ip_version = Some(IpVersion::V6);
        self
    }

    /// Opens a new connection for each request and asks the server to close it afterwards. Latency does not include opening the
    /// connection, unless reqwest is used (https, HTTP/2, a proxy or redirects). Throughput always does.
    ///
    /// ```
    /// # let mut harness = plimsoll::Harness::default();
    /// # let mut group = harness.benchmark_group("shop");
    /// group.no_keepalive();
    /// ```
    pub fn no_keepalive(&mut self) -> &mut Self {
        self.group().transport.no_keepalive = true;
        self
    }

    /// Ends the group, as in criterion. Dropping it does the same.
    pub fn finish(self) {}
}

/// Names a list of functions that define groups. The forms are criterion's.
///
/// ```
/// use plimsoll::{bench_group, Harness};
/// fn search(_harness: &mut Harness) {}
/// fn orders(_harness: &mut Harness) {}
/// bench_group!(benches, search, orders);
/// bench_group! {
///     name = slow;
///     config = Harness::default().sample_size(50);
///     targets = orders
/// }
/// # benches(&mut Harness::default());
/// # slow(&mut Harness::default());
/// ```
#[macro_export]
macro_rules! bench_group {
    (name = $name:ident; config = $config:expr; targets = $($target:path),+ $(,)*) => {
        /// Defines groups with the given settings.
        fn $name(harness: &mut $crate::Harness) {
            let config: $crate::Harness = $config;
            harness.with_settings_of(&config, |harness| {
                $($target(harness);)+
            });
        }
    };
    ($name:ident, $($target:path),+ $(,)*) => {
        /// Defines groups.
        fn $name(harness: &mut $crate::Harness) {
            $($target(harness);)+
        }
    };
}

/// The `main` function of a bench target. It plans all groups, then measures, checks or lists them, as cargo or nextest asks.
///
/// ```no_run
/// use plimsoll::{bench_group, bench_main, BenchmarkId, Endpoint, Harness, Load, Service};
///
/// fn search(harness: &mut Harness) {
///     let mut group = harness.benchmark_group("search");
///     group.service(Service::url("http://127.0.0.1:8080"));
///     group.bench_endpoint(BenchmarkId::new("ship", 10), Endpoint::get("/search?q=ship"), Load::closed(10));
///     group.finish();
/// }
///
/// bench_group!(benches, search);
/// bench_main!(benches);
/// ```
#[macro_export]
macro_rules! bench_main {
    ($($group:path),+ $(,)*) => {
        fn main() -> ::std::process::ExitCode {
            $crate::__private::main(
                $crate::__private::BenchTarget {
                    crate_name: env!("CARGO_CRATE_NAME"),
                    file: file!(),
                    package_root: env!("CARGO_MANIFEST_DIR"),
                    target_tmpdir: option_env!("CARGO_TARGET_TMPDIR"),
                },
                |harness| {
                    $($group(harness);)+
                },
            )
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::plan::{Endpoint, Targets};

    use super::*;

    fn error(define: impl FnOnce(&mut BenchmarkGroup<'_>)) -> String {
        let mut harness = Harness::default();
        let mut group = harness.benchmark_group("orders");
        group.service(Service::url("http://127.0.0.1:1"));
        define(&mut group);
        group.finish();
        let plan = Plan { runs: 1, ..harness.into_plan("b") };
        plan.validated().unwrap_err().to_string()
    }

    #[test]
    fn bad_values_are_errors_that_name_file_line_group_and_id() {
        let start = |error: &str, file: &str| error.starts_with(&format!("{file}:"));
        let setting = error(|group| _ = group.sample_size(0));
        assert!(
            start(&setting, file!()) && setting.contains("group `orders`: sample_size is 0"),
            "{setting}"
        );
        let load = error(|group| _ = group.bench_endpoint("place", Endpoint::get("/"), Load::closed(0)));
        assert!(start(&load, file!()) && load.contains("cell `orders/place`: its load"), "{load}");
        let detour = error(|group| _ = group.connect_to("h:80"));
        assert!(
            start(&detour, file!()) && detour.contains("group `orders`: `h:80` must have four parts"),
            "{detour}"
        );
        let targets = error(|group| {
            group.bench_endpoint("place", Targets::from_file("/no/such/file"), Load::closed(1));
        });
        assert!(start(&targets, file!()), "{targets}");
        assert!(
            targets.contains("cell `orders/place`: the targets file /no/such/file cannot be read"),
            "{targets}"
        );
    }

    #[test]
    fn a_group_starts_with_the_settings_of_its_harness() {
        let mut harness = Harness::default();
        let config = Harness::default().sample_size(50);
        harness.with_settings_of(&config, |harness| harness.benchmark_group("a").finish());
        harness.benchmark_group("b").launches(7);
        let sizes = |group: &Group| (group.settings.sample_size, group.settings.launches);
        let groups = harness.into_plan("b").groups;
        assert_eq!(groups.iter().map(sizes).collect::<Vec<_>>(), [(50, None), (30, Some(7))]);
    }
}
