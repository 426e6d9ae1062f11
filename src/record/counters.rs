//! Looks at the machine's counters, for `condition` to tell what happened between two looks. Whatever cannot be read is left out;
//! nothing here fails.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::record::counter_text::{
    CpuTicks, Periods, ProcessTicks, allowed_cpus, cpu_cgroups, cpu_ticks, periods, process_ticks,
};

const CGROUPS: &str = "/sys/fs/cgroup";
const CPUS: &str = "/sys/devices/system/cpu";

/// The machine's counters at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Counters {
    /// Each CPU that this process or one of the services may use, by number.
    pub(crate) cpus: Vec<(u32, CpuTicks)>,
    /// What this process and the services have used; nothing when that cannot be known.
    pub(crate) our_ticks: Option<u64>,
    /// Of the control group and those above it together: rarely more than one of them has a limit.
    pub(crate) periods: Periods,
    /// How often the CPUs were slowed down for their heat.
    pub(crate) heat_throttles: Option<u64>,
    /// Of the fastest CPU, now.
    pub(crate) frequency_mhz: Option<f64>,
}

impl Counters {
    /// Looks at this process and at all processes in `groups`, those of the services; without groups nobody knows what the services
    /// used.
    pub(crate) fn read(groups: Option<&[i32]>) -> Self {
        if !cfg!(target_os = "linux") {
            return Self::default();
        }
        // First of all: it falls as soon as there is nothing to do.
        let own_cpus = allowed("self");
        let frequency_mhz = own_cpus.as_deref().and_then(fastest_mhz);
        let services: Vec<(String, ProcessTicks)> = groups.map(members).unwrap_or_default();
        let usable: Option<Vec<RangeInclusive<u32>>> = own_cpus.map(|own| {
            own.into_iter().chain(services.iter().filter_map(|(id, _)| allowed(id)).flatten()).collect()
        });
        let is_usable = |(number, _): &(u32, CpuTicks)| {
            usable.as_ref().is_none_or(|usable| usable.iter().any(|range| range.contains(number)))
        };
        let stat = text("/proc/stat").unwrap_or_default();
        let cpus: Vec<_> = cpu_ticks(&stat).into_iter().filter(is_usable).collect();
        // Children of this process that ended were no services, or of a launch that is over.
        let own = text("/proc/self/stat").and_then(|stat| process_ticks(&stat)).map(|own| own.own);
        let of_services: u64 =
            services.iter().map(|(_, ticks)| ticks.own.saturating_add(ticks.ended_children)).sum();
        Self {
            our_ticks: own.filter(|_| groups.is_some()).map(|own| own.saturating_add(of_services)),
            periods: own_periods(),
            heat_throttles: heat_throttles(&cpus),
            frequency_mhz,
            cpus,
        }
    }
}

/// All processes of these groups, by id.
fn members(groups: &[i32]) -> Vec<(String, ProcessTicks)> {
    if groups.is_empty() {
        return Vec::new();
    }
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let names = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let ids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    ids.filter_map(|id| {
        let ticks = process_ticks(&text(format!("/proc/{id}/stat"))?)?;
        groups.contains(&ticks.group).then_some((id, ticks))
    })
    .collect()
}

fn allowed(id: &str) -> Option<Vec<RangeInclusive<u32>>> {
    allowed_cpus(&text(format!("/proc/{id}/status"))?)
}

fn own_periods() -> Periods {
    let folders = text("/proc/self/cgroup").map(|cgroup| cpu_cgroups(&cgroup)).unwrap_or_default();
    let each =
        folders.iter().filter_map(|folder| periods(&text(Path::new(CGROUPS).join(folder).join("cpu.stat"))?));
    each.fold(Periods::default(), |sum, one| Periods {
        all: sum.all.saturating_add(one.all),
        throttled: sum.throttled.saturating_add(one.throttled),
    })
}

fn heat_throttles(cpus: &[(u32, CpuTicks)]) -> Option<u64> {
    let counts = cpus.iter().flat_map(|(number, _)| {
        ["core_throttle_count", "package_throttle_count"].into_iter().filter_map(move |name| {
            text(format!("{CPUS}/cpu{number}/thermal_throttle/{name}"))?.trim().parse::<u64>().ok()
        })
    });
    counts.reduce(u64::saturating_add)
}

/// The highest frequency of those CPUs.
fn fastest_mhz(usable: &[RangeInclusive<u32>]) -> Option<f64> {
    const KHZ_OF_A_MHZ: f64 = 1e3;
    let folders = fs::read_dir(CPUS).ok()?;
    let numbers = folders
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("cpu")?.parse::<u32>().ok())
        .filter(|number| usable.iter().any(|range| range.contains(number)));
    numbers
        .filter_map(|number| {
            let khz: f64 =
                text(format!("{CPUS}/cpu{number}/cpufreq/scaling_cur_freq"))?.trim().parse().ok()?;
            (khz.is_finite() && khz > 0.0).then_some(khz / KHZ_OF_A_MHZ)
        })
        .reduce(f64::max)
}

fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_machine_counts_this_process_and_none_when_a_service_is_not_ours() {
        let counters = Counters::read(Some(&[]));
        assert!(!counters.cpus.is_empty() && counters.our_ticks.is_some(), "{counters:?}");
        assert!(counters.cpus.iter().all(|(_, ticks)| ticks.all >= ticks.processes));
        assert_eq!(Counters::read(None).our_ticks, None);
    }

    #[test]
    fn a_group_is_counted_with_all_its_processes() {
        use std::os::unix::process::CommandExt;
        use std::process::{Command, Stdio};
        let mut child = Command::new("/bin/sh")
            .args(["-c", "sleep 60 & sleep 60 & wait"])
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let group = i32::try_from(child.id()).unwrap();
        let begun = std::time::Instant::now();
        while members(&[group]).len() < 3 && begun.elapsed().as_secs() < 20 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let found = members(&[group]).len();
        nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), nix::sys::signal::SIGKILL).unwrap();
        child.wait().unwrap();
        assert_eq!(found, 3, "the shell and its two children");
    }
}
