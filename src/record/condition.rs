//! What else the machine did while a run was measured: other processes, stolen CPU time, throttling.
//!
//! Formats: proc_pid_stat(5), proc_stat(5); the kernel's Documentation/admin-guide/cgroup-v2.rst and
//! Documentation/scheduler/sched-bwc.rst.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// With 100 ticks a share of 10% is known to about three points.
const MIN_TICKS: u64 = 100;

/// What else the machine did during the rounds of a run. A field is `None` if it is unknown, and all are on other systems than
/// Linux.
///
/// Shares are between 0 and 1. Starting, warming up and stopping services does not count.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// The share of CPU time that processes used other than this one and its services, on the CPUs that these may use. `None` if
    /// plimsoll did not start a service: it may be one of the others.
    ///
    /// Too small on kernels that count interrupts to the process that they interrupt.
    pub others_share: Option<f64>,
    /// The share of CPU time that the hypervisor gave to another virtual machine.
    pub stolen_share: Option<f64>,
    /// The share of periods in which a control group's limit of CPU time was used up, and client and service stood still. `None`
    /// without a limit.
    pub throttled_share: Option<f64>,
}

impl Condition {
    /// The worst of several runs, field by field.
    pub fn worst<'a>(conditions: impl IntoIterator<Item = &'a Self>) -> Self {
        let higher = |one: Option<f64>, other: Option<f64>| one.into_iter().chain(other).reduce(f64::max);
        conditions.into_iter().fold(Self::default(), |worst, one| Self {
            others_share: higher(worst.others_share, one.others_share),
            stolen_share: higher(worst.stolen_share, one.stolen_share),
            throttled_share: higher(worst.throttled_share, one.throttled_share),
        })
    }
}

/// The sum over the rounds of all launches.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ConditionSum {
    /// Whether the CPU time of client and services was unknown in any span.
    is_ours_unknown: bool,
    ticks: u64,
    process_ticks: u64,
    stolen_ticks: u64,
    our_ticks: u64,
    periods: u64,
    throttled_periods: u64,
}

impl ConditionSum {
    /// Adds the span between two readings of the counters.
    pub(crate) fn add(&mut self, before: &Counters, after: &Counters) {
        for (number, now) in &after.cpus {
            let Some((_, then)) = before.cpus.iter().find(|(other, _)| other == number) else { continue };
            self.ticks += now.all.saturating_sub(then.all);
            self.process_ticks += now.processes.saturating_sub(then.processes);
            self.stolen_ticks += now.stolen.saturating_sub(then.stolen);
        }
        match before.our_ticks.zip(after.our_ticks) {
            Some((then, now)) => self.our_ticks += now.saturating_sub(then),
            None => self.is_ours_unknown = true,
        }
        self.periods += after.periods.saturating_sub(before.periods);
        self.throttled_periods += after.throttled_periods.saturating_sub(before.throttled_periods);
    }

    /// The shares over all spans; `None` if none is known.
    pub(crate) fn condition(&self) -> Option<Condition> {
        let share = |part: u64, of: u64| (of > 0).then(|| (part as f64 / of as f64).min(1.0));
        let of_ticks = |part| share(part, self.ticks).filter(|_| self.ticks >= MIN_TICKS);
        // Ticks are sampled and a process's time is not, so that the difference can be negative.
        let others = self.process_ticks.saturating_sub(self.our_ticks);
        let condition = Condition {
            others_share: of_ticks(others).filter(|_| !self.is_ours_unknown),
            stolen_share: of_ticks(self.stolen_ticks),
            throttled_share: share(self.throttled_periods, self.periods),
        };
        (condition != Condition::default()).then_some(condition)
    }
}

const CGROUPS: &str = "/sys/fs/cgroup";

/// The machine's counters at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Counters {
    /// Each CPU that this process or one of the services may use, by number.
    cpus: Vec<(u32, CpuTicks)>,
    /// CPU time of this process and the services; `None` if it is unknown.
    our_ticks: Option<u64>,
    /// Periods in which the control group and all groups above it ran: rarely more than one of them has a limit.
    periods: u64,
    /// Periods in which their CPU time was used up.
    throttled_periods: u64,
}

impl Counters {
    /// Reads the counters of the machine, this process and all processes of `groups`, which are the services' process groups. `None`:
    /// the services are unknown.
    pub(crate) fn read(groups: Option<&[i32]>) -> Self {
        if !cfg!(target_os = "linux") {
            return Self::default();
        }
        let own_cpus = allowed("self");
        let services: Vec<(String, ProcessTicks)> = groups.map(members).unwrap_or_default();
        let usable: Option<Vec<RangeInclusive<u32>>> = own_cpus.map(|own| {
            own.into_iter().chain(services.iter().filter_map(|(id, _)| allowed(id)).flatten()).collect()
        });
        let is_usable = |(number, _): &(u32, CpuTicks)| {
            usable.as_ref().is_none_or(|usable| usable.iter().any(|range| range.contains(number)))
        };
        let stat = text("/proc/stat").unwrap_or_default();
        let cpus: Vec<_> = cpu_ticks(&stat).into_iter().filter(is_usable).collect();
        // Children of this process that ended are not services, or belong to an earlier launch.
        let own = text("/proc/self/stat").and_then(|stat| process_ticks(&stat)).map(|own| own.own);
        let of_services: u64 =
            services.iter().map(|(_, ticks)| ticks.own.saturating_add(ticks.ended_children)).sum();
        let (periods, throttled_periods) = own_periods();
        Self {
            our_ticks: own.filter(|_| groups.is_some()).map(|own| own.saturating_add(of_services)),
            cpus,
            periods,
            throttled_periods,
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

/// The periods of this process's control group and of those above it, and the throttled ones of them.
fn own_periods() -> (u64, u64) {
    let own = text("/proc/self/cgroup").unwrap_or_default();
    let stat = |group: &Path| text(Path::new(CGROUPS).join(group).join("cpu.stat"));
    cgroups(&own)
        .filter_map(|group| periods(&stat(group)?))
        .fold((0, 0), |sum, own| (sum.0.saturating_add(own.0), sum.1.saturating_add(own.1)))
}

fn text(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// CPU time since the machine started, in ticks of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct CpuTicks {
    /// Spent in processes, in user and kernel mode.
    processes: u64,
    /// Given to another virtual machine while wanted here.
    stolen: u64,
    /// All time, idle or not.
    all: u64,
}

/// CPU time of a process since its start, in ticks of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProcessTicks {
    /// Its process group.
    group: i32,
    /// Spent in its threads.
    own: u64,
    /// Spent in its children that ended, and in theirs.
    ended_children: u64,
}

/// Each CPU of `/proc/stat` by its number.
///
/// Interrupts are not counted as processes: most interrupts of a load test are its own packets. Guests are part of `user`.
fn cpu_ticks(stat: &str) -> Vec<(u32, CpuTicks)> {
    stat.lines().filter_map(cpu_line).collect()
}

fn cpu_line(line: &str) -> Option<(u32, CpuTicks)> {
    // The line that sums all CPUs has a space there.
    let rest =
        line.strip_prefix("cpu").filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))?;
    let mut words = rest.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    let ticks: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
    let [user, nice, system, idle, iowait, interrupts, soft_interrupts, rest @ ..] = &ticks[..] else {
        return None;
    };
    let stolen = rest.first().copied().unwrap_or(0);
    let processes = [user, nice, system].into_iter().copied().fold(0, u64::saturating_add);
    let others = [idle, iowait, interrupts, soft_interrupts, &stolen];
    let all = others.into_iter().copied().fold(processes, u64::saturating_add);
    Some((number, CpuTicks { processes, stolen, all }))
}

/// A process's `/proc/PID/stat`.
fn process_ticks(stat: &str) -> Option<ProcessTicks> {
    /// Fields are counted after the name, which is in parentheses and may hold spaces and parentheses.
    const GROUP: usize = 2;
    const USER: usize = 11;
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let [user, system, children_user, children_system] = fields.get(USER..USER + 4)? else { return None };
    let both =
        |user: &str, system: &str| Some(user.parse::<u64>().ok()?.saturating_add(system.parse().ok()?));
    Some(ProcessTicks {
        group: fields.get(GROUP)?.parse().ok()?,
        own: both(user, system)?,
        ended_children: both(children_user, children_system)?,
    })
}

/// The CPUs that a process may use, from its `/proc/PID/status`.
fn allowed_cpus(status: &str) -> Option<Vec<RangeInclusive<u32>>> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim();
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.split(',').map(range).collect()
}

/// Paths of a process's control group and of the groups above it, from its `/proc/PID/cgroup`. In a container the path may be the
/// host's; then only the top folder exists. Version 1 of control groups is not read.
fn cgroups(cgroup: &str) -> impl Iterator<Item = &Path> {
    let own = cgroup.lines().find_map(|line| line.strip_prefix("0::/"));
    own.into_iter().flat_map(|own| Path::new(own).ancestors())
}

/// The periods in a control group's `cpu.stat`, and the throttled ones of them; `None` if it cannot have a limit.
fn periods(cpu_stat: &str) -> Option<(u64, u64)> {
    let value = |key: &str| {
        let mut values = cpu_stat.lines().filter_map(|line| line.split_once(' '));
        values.find(|(name, _)| *name == key)?.1.trim().parse().ok()
    };
    Some((value("nr_periods")?, value("nr_throttled")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two CPUs after `ticks` ticks each, half of them of processes, and `ours` of client and services.
    fn counters(ticks: u64, ours: Option<u64>) -> Counters {
        let cpu = CpuTicks { processes: ticks / 2, stolen: ticks / 100, all: ticks };
        Counters { cpus: vec![(0, cpu), (1, cpu)], our_ticks: ours, ..Counters::default() }
    }

    #[test]
    fn others_are_what_is_left_of_the_processes_time_over_all_spans() {
        let mut sum = ConditionSum::default();
        sum.add(&counters(1_000, Some(70)), &counters(1_200, Some(170)));
        sum.add(&counters(5_000, Some(20)), &counters(5_200, Some(60)));
        let condition = sum.condition().unwrap();
        // 800 ticks, 400 of processes, 140 of them ours.
        assert_eq!(condition.others_share, Some(260.0 / 800.0));
        assert_eq!(condition.stolen_share, Some(8.0 / 800.0));
        assert_eq!(condition.throttled_share, None);
    }

    #[test]
    fn others_are_unknown_as_soon_as_one_service_was_not_started_by_us_and_never_negative() {
        let mut sum = ConditionSum::default();
        sum.add(&counters(0, Some(0)), &counters(100, Some(101)));
        assert_eq!(sum.condition().unwrap().others_share, Some(0.0));
        sum.add(&counters(100, None), &counters(200, None));
        let condition = sum.condition().unwrap();
        assert_eq!((condition.others_share, condition.stolen_share), (None, Some(0.01)));
    }

    #[test]
    fn a_cpu_that_was_not_there_before_does_not_count_with_all_its_past() {
        let mut sum = ConditionSum::default();
        let mut after = counters(200, Some(10));
        after.cpus.push((7, CpuTicks { processes: 1 << 40, stolen: 1 << 40, all: 1 << 42 }));
        sum.add(&counters(100, Some(0)), &after);
        assert_eq!(sum.condition().unwrap().others_share, Some(90.0 / 200.0));
        // Counters that go backwards, as after a live migration.
        sum.add(&counters(1_000, Some(1_000)), &counters(10, Some(10)));
        assert_eq!(sum.condition().unwrap().others_share, Some(90.0 / 200.0));
    }

    #[test]
    fn throttling_is_the_share_of_periods_of_all_spans() {
        let at = |periods, throttled_periods| Counters { periods, throttled_periods, ..Counters::default() };
        let mut sum = ConditionSum::default();
        sum.add(&at(100, 50), &at(110, 52));
        sum.add(&at(200, 52), &at(210, 55));
        let expected = Condition { throttled_share: Some(0.25), ..Condition::default() };
        assert_eq!(sum.condition(), Some(expected));
    }

    #[test]
    fn few_ticks_say_nothing() {
        let mut sum = ConditionSum::default();
        sum.add(&counters(100, Some(0)), &counters(149, Some(0)));
        assert_eq!(sum.condition(), None);
        sum.add(&counters(100, Some(0)), &counters(101, Some(0)));
        assert!(sum.condition().is_some());
    }

    #[test]
    fn nothing_known_is_nothing_said() {
        assert_eq!(ConditionSum::default().condition(), None);
        let mut sum = ConditionSum::default();
        sum.add(&Counters::default(), &Counters::default());
        assert_eq!(sum.condition(), None);
    }

    #[test]
    fn the_worst_of_several_runs_is_the_worst_of_each_field() {
        let quiet = Condition { others_share: Some(0.1), ..Condition::default() };
        let busy = Condition { others_share: Some(0.4), stolen_share: Some(0.02), ..Condition::default() };
        let worst = Condition { stolen_share: Some(0.02), others_share: Some(0.4), throttled_share: None };
        assert_eq!(Condition::worst([&quiet, &busy]), worst);
        assert_eq!(Condition::worst([]), Condition::default());
    }

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

    const STAT: &str = "cpu  2610550 713 849743 4987877 15206 0 202227 1327 0 0
cpu0 1268405 333 416826 2542234 3449 0 101905 668 0 0
cpu1 1342144 380 432917 2445642 11756 0 100322 659 0 0
intr 129849610 0 0 0 26 0
ctxt 258034567
btime 1795600000
";

    #[test]
    fn each_cpu_has_its_ticks_and_their_sum_is_no_cpu() {
        let first = CpuTicks {
            processes: 1_268_405 + 333 + 416_826,
            stolen: 668,
            all: 1_268_405 + 333 + 416_826 + 2_542_234 + 3_449 + 101_905 + 668,
        };
        let cpus = cpu_ticks(STAT);
        assert_eq!(cpus.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(cpus[0].1, first);
        // From before the kernel knew of steal.
        assert_eq!(cpu_ticks("cpu3 1 2 3 4 5 6 7\n"), [(3, CpuTicks { processes: 6, stolen: 0, all: 28 })]);
    }

    #[test]
    fn what_is_no_counter_is_passed_over() {
        for text in
            ["", "cpu", "cpu 1 2", "cpu0", "cpu0 1 2 3", "cpu0 a b c d e f g h", "cpufreq 1 2 3 4 5 6 7"]
        {
            assert_eq!(cpu_ticks(text), [], "{text}");
        }
        let huge = format!("cpu0 {}\n", [u64::MAX.to_string().as_str(); 8].join(" "));
        assert_eq!(cpu_ticks(&huge)[0].1.all, u64::MAX);
    }

    #[test]
    fn a_process_has_the_time_of_its_threads_and_of_its_children_that_ended() {
        let stat = "5050 (tmux: server (1)) S 5041 5041 2570 0 -1 4194304 101 0 0 0 31 7 400 25 20 0 1 0 4398397 3133440 \
                    418 18446744073709551615 94830605766656 94830605786537 140731251531568 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n";
        assert_eq!(process_ticks(stat), Some(ProcessTicks { group: 5041, own: 38, ended_children: 425 }));
        for text in
            ["", "5050 (cat) R 1 1", "no parenthesis 1 2 3", "1 (a) S x x x x x x x x x x x x x x x x"]
        {
            assert_eq!(process_ticks(text), None, "{text}");
        }
    }

    #[test]
    fn allowed_cpus_are_ranges_and_single_ones() {
        let status = "Name:\tcat\nCpus_allowed:\tff,00000001\nCpus_allowed_list:\t0-3,8,10-11\nMems_allowed_list:\t0\n";
        assert_eq!(allowed_cpus(status), Some(vec![0..=3, 8..=8, 10..=11]));
        assert_eq!(allowed_cpus("Name:\tcat\n"), None);
        assert_eq!(allowed_cpus("Cpus_allowed_list:\t\n"), None);
        assert_eq!(allowed_cpus("Cpus_allowed_list:\t0-4294967295\n"), Some(vec![0..=u32::MAX]));
    }

    #[test]
    fn the_control_group_and_all_above_it_may_be_limited() {
        let groups = |cgroup: &str| -> Vec<String> {
            cgroups(cgroup).map(|group| group.display().to_string()).collect()
        };
        let systemd = "0::/user.slice/user-1000.slice/session-2.scope\n";
        assert_eq!(
            groups(systemd),
            ["user.slice/user-1000.slice/session-2.scope", "user.slice/user-1000.slice", "user.slice", ""]
        );
        assert_eq!(groups("0::/\n"), [""], "a container");
        assert_eq!(groups("9:name=systemd:/\n2:cpuacct,cpu:/docker/abc\n0::/\n"), [""], "version 1");
        assert!(groups("nonsense\n1:cpuset\n").is_empty());
    }

    #[test]
    fn only_a_control_group_that_can_have_a_limit_has_periods() {
        let limited = "usage_usec 83456123\nuser_usec 70000000\nsystem_usec 13456123\nnice_usec 0\n\
                         core_sched.force_idle_usec 0\nnr_periods 1200\nnr_throttled 37\nthrottled_usec 2150432\nnr_bursts 0\nburst_usec 0\n";
        assert_eq!(periods(limited), Some((1200, 37)));
        let root = "usage_usec 83456123\nuser_usec 70000000\nsystem_usec 13456123\n";
        assert_eq!(periods(root), None);
    }
}
