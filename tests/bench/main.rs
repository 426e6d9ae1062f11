//! A bench binary driven as cargo, nextest and people drive one.
//!
//! There is no variable that names a bench's binary, so this target is one itself: started with a suite's name in
//! [`suite::SUITE`] it is that bench, with all its arguments; without it, it runs the checks, each of which starts it again.
//! Hence no libtest, which would take the arguments of both; what cargo and nextest ask of a test binary is answered here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a test runner")]

#[path = "../common/mod.rs"]
mod common;

mod base_ref;
mod baselines;
mod calls;
mod duets;
mod faults;
mod screening;
mod signals;
mod suite;
mod verdicts;

use std::panic::catch_unwind;
use std::process::ExitCode;

/// A check with its name.
type Check = (&'static str, fn());

/// Names functions once.
#[macro_export]
macro_rules! checks {
    ($room:ident: $($check:ident),+ $(,)*) => {
        /// The checks of this file.
        pub const CHECKS: &[$crate::Check] =
            &[$((concat!(stringify!($room), "::", stringify!($check)), $check as fn())),+];
    };
}

const ALL: [&[Check]; 8] = [
    calls::CHECKS,
    baselines::CHECKS,
    verdicts::CHECKS,
    duets::CHECKS,
    base_ref::CHECKS,
    screening::CHECKS,
    faults::CHECKS,
    signals::CHECKS,
];

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("plimsoll-control") {
        return suite::be_control();
    }
    if std::env::var_os(suite::CARGO).is_some() {
        return suite::be_cargo();
    }
    if let Ok(name) = std::env::var(suite::SUITE) {
        return suite::be(&name);
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    if has("--list") {
        // None is ignored.
        let listed = ALL.concat();
        listed.iter().filter(|_| !has("--ignored")).for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let wanted = wanted(&args);
    let mut failed = Vec::new();
    for (name, check) in wanted {
        let passed = catch_unwind(check).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed.extend((!passed).then_some(name));
    }
    println!("{} failed {}", failed.len(), failed.join(", "));
    ExitCode::from(u8::from(!failed.is_empty()))
}

/// The checks that libtest's arguments ask for.
fn wanted(args: &[String]) -> Vec<Check> {
    const WITH_VALUE: [&str; 5] = ["--test-threads", "--format", "--logfile", "-Z", "--color"];
    let exact = args.iter().any(|arg| arg == "--exact");
    let (mut filters, mut skipped) = (Vec::new(), Vec::new());
    let mut rest = args.iter().map(String::as_str);
    while let Some(arg) = rest.next() {
        match arg {
            "--skip" => skipped.extend(rest.next()),
            value if WITH_VALUE.contains(&value) => _ = rest.next(),
            flag if flag.starts_with('-') => {}
            filter => filters.push(filter),
        }
    }
    let matches = |name: &str, filter: &&str| if exact { name == *filter } else { name.contains(*filter) };
    let keeps = |name: &str| {
        (filters.is_empty() || filters.iter().any(|filter| matches(name, filter)))
            && !skipped.iter().any(|skip| matches(name, skip))
    };
    ALL.concat().into_iter().filter(|(name, _)| keeps(name)).collect()
}
