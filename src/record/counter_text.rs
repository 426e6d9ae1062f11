//! What the counters of Linux say: `/proc/stat`, `/proc/PID/stat`, `cpu.stat` of a control group. Pure functions, from text to
//! numbers; `counters` reads the files.
//!
//! Formats: proc_pid_stat(5), proc_stat(5); the kernel's Documentation/admin-guide/cgroup-v2.rst and
//! Documentation/scheduler/sched-bwc.rst.

use std::ops::RangeInclusive;

/// What a CPU did since the machine was started, in ticks of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CpuTicks {
    /// Ran a process, in its own code or in the kernel's.
    pub(crate) processes: u64,
    /// Was wanted, and served another virtual machine.
    pub(crate) stolen: u64,
    /// All of the time, idle or not.
    pub(crate) all: u64,
}

/// What a process used since its start, in ticks of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessTicks {
    /// The process group that it is in.
    pub(crate) group: i32,
    /// All its threads.
    pub(crate) own: u64,
    /// Children of it that ended, and theirs.
    pub(crate) ended_children: u64,
}

/// Periods of a control group's limit of CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Periods {
    /// Those in which it ran at all.
    pub(crate) all: u64,
    /// Those in which its time was used up before their end.
    pub(crate) throttled: u64,
}

/// Each CPU of `/proc/stat` by its number.
///
/// Interrupts are not counted among the processes: most of those of a load test are its own packets. What a guest of this machine
/// runs is within `user` already.
pub(crate) fn cpu_ticks(stat: &str) -> Vec<(u32, CpuTicks)> {
    stat.lines().filter_map(cpu_line).collect()
}

fn cpu_line(line: &str) -> Option<(u32, CpuTicks)> {
    // The line of all CPUs together has a space there.
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
pub(crate) fn process_ticks(stat: &str) -> Option<ProcessTicks> {
    /// Counted behind the name, which stands in parentheses and may hold anything, spaces and parentheses included.
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
pub(crate) fn allowed_cpus(status: &str) -> Option<Vec<RangeInclusive<u32>>> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim();
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.split(',').map(range).collect()
}

/// Folders within `/sys/fs/cgroup` that may hold the `cpu.stat` of a process's control group and of those above it, from its
/// `/proc/PID/cgroup`. Within a container the path may be the host's; then only the uppermost folder is there.
pub(crate) fn cpu_cgroups(cgroup: &str) -> Vec<String> {
    let mut folders = Vec::new();
    for line in cgroup.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let mount = match controllers {
            // Version 2, which has one tree for all.
            "" => "",
            controllers if controllers.split(',').any(|controller| controller == "cpu") => "cpu",
            _ => continue,
        };
        let mut path = path.trim_end_matches('/');
        loop {
            folders.push(format!("{mount}{path}").trim_start_matches('/').to_owned());
            let Some((above, _)) = path.rsplit_once('/') else { break };
            path = above;
        }
    }
    folders
}

/// A control group's `cpu.stat`; nothing where it cannot have a limit.
pub(crate) fn periods(cpu_stat: &str) -> Option<Periods> {
    let value = |key: &str| {
        let mut values = cpu_stat.lines().filter_map(|line| line.split_once(' '));
        values.find(|(name, _)| *name == key)?.1.trim().parse().ok()
    };
    Some(Periods { all: value("nr_periods")?, throttled: value("nr_throttled")? })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let systemd = "0::/user.slice/user-1000.slice/session-2.scope\n";
        assert_eq!(
            cpu_cgroups(systemd),
            ["user.slice/user-1000.slice/session-2.scope", "user.slice/user-1000.slice", "user.slice", ""]
        );
        assert_eq!(cpu_cgroups("0::/\n"), [""], "a container");
        let version_1 = "9:name=systemd:/\n4:memory:/a/b\n3:cpuset:/\n2:cpuacct,cpu:/docker/abc\n0::/\n";
        assert_eq!(cpu_cgroups(version_1), ["cpu/docker/abc", "cpu/docker", "cpu", ""]);
        assert!(cpu_cgroups("nonsense\n1:cpuset\n").is_empty());
    }

    #[test]
    fn periods_are_told_by_both_versions_and_only_where_there_can_be_a_limit() {
        let version_2 = "usage_usec 83456123\nuser_usec 70000000\nsystem_usec 13456123\nnice_usec 0\n\
                         core_sched.force_idle_usec 0\nnr_periods 1200\nnr_throttled 37\nthrottled_usec 2150432\nnr_bursts 0\nburst_usec 0\n";
        assert_eq!(periods(version_2), Some(Periods { all: 1200, throttled: 37 }));
        let version_1 = "nr_periods 0\nnr_throttled 0\nthrottled_time 0\nnr_bursts 0\nburst_time 0\n";
        assert_eq!(periods(version_1), Some(Periods::default()));
        let root = "usage_usec 83456123\nuser_usec 70000000\nsystem_usec 13456123\n";
        assert_eq!(periods(root), None);
    }
}
