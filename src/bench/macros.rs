//! `bench_group!` and `bench_main!`, in criterion's forms.

/// Names a list of functions that define groups.
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
        /// Defines the groups of its functions, with settings of its own.
        fn $name(harness: &mut $crate::Harness) {
            let config: $crate::Harness = $config;
            harness.with_settings_of(&config, |harness| {
                $($target(harness);)+
            });
        }
    };
    ($name:ident, $($target:path),+ $(,)*) => {
        /// Defines the groups of its functions.
        fn $name(harness: &mut $crate::Harness) {
            $($target(harness);)+
        }
    };
}

/// The `main` of a bench target: plans all groups, then does what cargo or nextest asked for.
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
                    name: env!("CARGO_CRATE_NAME"),
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
