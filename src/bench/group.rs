//! A group of cells while it is defined.

use std::time::Duration;

use crate::bench::harness::Harness;
use crate::plan::{
    BenchmarkId, Cell, CellId, Endpoint, Group, Limit, Load, Location, PlanError, Service, Targets,
    TargetsError, Throughput,
};

/// What a cell can request: an [`Endpoint`], [`Targets`], or the outcome of reading them from a file.
///
/// ```
/// # let mut harness = plimsoll::Harness::default();
/// # let mut group = harness.benchmark_group("search");
/// use plimsoll::{Endpoint, Load, Targets};
/// group.bench_endpoint("one", Endpoint::get("/search?q=ship"), Load::closed(10));
/// group.bench_endpoint("many", Targets::from_file("endpoints.txt"), Load::closed(10));
/// ```
pub trait IntoTargets {
    /// The targets, or why they could not be read; the harness then reports it with the cell that wanted them.
    fn into_targets(self) -> Result<Targets, TargetsError>;
}

impl IntoTargets for Endpoint {
    fn into_targets(self) -> Result<Targets, TargetsError> {
        Ok(self.into())
    }
}

impl IntoTargets for Targets {
    fn into_targets(self) -> Result<Targets, TargetsError> {
        Ok(self)
    }
}

impl IntoTargets for Result<Targets, TargetsError> {
    fn into_targets(self) -> Result<Targets, TargetsError> {
        self
    }
}

/// A group of cells that share a service, settings and rules.
///
/// It only plans: what is wrong with a value is said, with file and line, before anything is measured.
///
/// ```
/// use plimsoll::{BenchmarkId, Endpoint, Harness, Limit, Load, Service};
/// use std::time::Duration;
///
/// fn orders(harness: &mut Harness) {
///     let mut group = harness.benchmark_group("orders");
///     group.about("placing an order, as the shop does at noon")
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
/// In a duet the group also says what it is compared with:
///
/// ```
/// # use plimsoll::{Harness, Service};
/// # let mut harness = Harness::default();
/// let mut group = harness.benchmark_group("orders");
/// group.service(Service::command("./shop")).base(Service::command("./shop-before"));
/// ```
///
/// Everything else that a group can be told; what it is not told it has from the [`Harness`]:
///
/// ```
/// # use plimsoll::{Harness, Throughput};
/// # use std::time::Duration;
/// # let mut harness = Harness::default();
/// let mut group = harness.benchmark_group("search");
/// group
///     .sample_size(50)                            // rounds of a cell
///     .measurement_time(Duration::from_secs(20))  // of all rounds of a cell together
///     .warm_up_time(Duration::from_millis(500))   // of a launch
///     .launches(10)
///     .judge(["latency_p99", "output_token_throughput"])
///     .throughput(Throughput::Elements(20))       // found a request: gives elements a second
///     .least_success_ratio(0.99)
///     .confidence_level(0.99)                     // of the displayed intervals
///     .significance_level(0.001)                  // for a whole call
///     .noise_threshold(0.02)                      // 2 % are too little to be red
///     .equivalence(0.05)                          // 5 % are little enough to be called unchanged
///     .nresamples(10_000)
///     .timeout(Duration::from_secs(5))
///     .connect_timeout(Duration::from_secs(1))
///     .ready_timeout(Duration::from_secs(60));
/// ```
///
/// By reqwest, without the kernel's receive time:
///
/// ```
/// # let mut harness = plimsoll::Harness::default();
/// # let mut group = harness.benchmark_group("search");
/// group.http2().follow_redirects().proxy("http://127.0.0.1:3128");
/// ```
#[derive(Debug)]
pub struct BenchmarkGroup<'a> {
    harness: &'a mut Harness,
    /// Taken when the group ends.
    group: Option<Group>,
    throughput: Option<Throughput>,
}

impl<'a> BenchmarkGroup<'a> {
    pub(crate) fn new(harness: &'a mut Harness, group: Group) -> Self {
        Self { harness, group: Some(group), throughput: None }
    }

    fn group(&mut self) -> &mut Group {
        self.group.as_mut().expect("a group is taken only when it is dropped")
    }

    /// What is loaded: a [`Service`], or a command to start.
    pub fn service(&mut self, service: impl Into<Service>) -> &mut Self {
        self.group().service = service.into();
        self
    }

    /// What is loaded beside it and compared with, in a duet: no baseline file is needed then. `--base-ref` and the other flags
    /// of duets say it for all groups.
    pub fn base(&mut self, base: impl Into<Service>) -> &mut Self {
        self.group().base = Some(base.into());
        self
    }

    /// What the group is for, in a sentence that its report shows.
    pub fn about(&mut self, about: impl Into<String>) -> &mut Self {
        self.group().about = Some(about.into());
        self
    }

    /// Adds a cell: targets under a load.
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
            Err(source) => {
                let cell = id.to_string();
                self.harness.add_error(PlanError::Targets { location, cell, source: Box::new(source) });
            }
        }
        self
    }

    /// The metrics to judge, by id, instead of p50, the highest tail that the cell has, throughput and success ratio.
    pub fn judge<S: Into<String>>(&mut self, metrics: impl IntoIterator<Item = S>) -> &mut Self {
        self.group().settings.judged = Some(metrics.into_iter().map(Into::into).collect());
        self
    }

    /// An absolute limit for each cell: exit code 1 when it is shown to be broken, right without any baseline.
    pub fn limit(&mut self, limit: Limit) -> &mut Self {
        self.group().settings.limits.push(limit);
        self
    }

    /// What each exchange of the cells that follow handles, for a rate beside requests per second.
    pub fn throughput(&mut self, throughput: Throughput) -> &mut Self {
        self.throughput = Some(throughput);
        self
    }

    /// The share of successes below which a cell counts as not measured (0.95 unless said otherwise).
    pub fn least_success_ratio(&mut self, ratio: f64) -> &mut Self {
        self.group().settings.least_success_ratio = ratio;
        self
    }

    /// Rounds of a cell; at least 10.
    pub fn sample_size(&mut self, rounds: usize) -> &mut Self {
        self.group().settings.sample_size = rounds;
        self
    }

    /// The time of a cell's rounds together.
    pub fn measurement_time(&mut self, time: Duration) -> &mut Self {
        self.group().settings.measurement_time = time;
        self
    }

    /// The warm-up of each launch, shared by its cells.
    pub fn warm_up_time(&mut self, time: Duration) -> &mut Self {
        self.group().settings.warm_up_time = time;
        self
    }

    /// Launches of the service in one run, instead of as many as can be paid.
    pub fn launches(&mut self, launches: usize) -> &mut Self {
        self.group().settings.launches = Some(launches);
        self
    }

    /// Confidence of the displayed intervals, from 0 to 1.
    pub fn confidence_level(&mut self, level: f64) -> &mut Self {
        self.group().settings.confidence_level = level;
        self
    }

    /// One-sided error for a whole call, from 0 to 1.
    pub fn significance_level(&mut self, level: f64) -> &mut Self {
        self.group().settings.significance_level = level;
        self
    }

    /// What is too little to be red, as a fraction (0.05 against a stored baseline).
    pub fn noise_threshold(&mut self, threshold: f64) -> &mut Self {
        self.group().settings.noise_threshold = Some(threshold);
        self
    }

    /// What is little enough to be called unchanged, as a fraction (0.10 against a stored baseline).
    pub fn equivalence(&mut self, margin: f64) -> &mut Self {
        self.group().settings.equivalence = Some(margin);
        self
    }

    /// Resamples of a bootstrap; at least 1,000.
    pub fn nresamples(&mut self, resamples: usize) -> &mut Self {
        self.group().settings.nresamples = resamples;
        self
    }

    /// The longest that one exchange may take (30 s).
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.group().settings.timeout = timeout;
        self
    }

    /// The longest that opening a connection may take (5 s).
    pub fn connect_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.group().settings.connect_timeout = timeout;
        self
    }

    /// The longest that the service may take to start (30 s).
    pub fn ready_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.group().settings.ready_timeout = timeout;
        self
    }

    /// HTTP/2: by ALPN over https, with prior knowledge over http. Made by reqwest, without the kernel's receive time.
    pub fn http2(&mut self) -> &mut Self {
        self.group().transport.http2 = true;
        self
    }

    /// Follow redirects, up to ten. Made by reqwest, without the kernel's receive time.
    pub fn follow_redirects(&mut self) -> &mut Self {
        self.group().transport.follow = true;
        self
    }

    /// Send everything through a proxy. Made by reqwest, without the kernel's receive time.
    pub fn proxy(&mut self, proxy: impl Into<String>) -> &mut Self {
        self.group().transport.proxy = Some(proxy.into());
        self
    }

    /// Ends the group, as in criterion; dropping it does the same.
    pub fn finish(self) {}
}

impl Drop for BenchmarkGroup<'_> {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            self.harness.add_group(group);
        }
    }
}
