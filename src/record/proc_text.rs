//! What the text files of Linux say of a machine: `/proc/cpuinfo`, `/proc/meminfo`, `/proc/loadavg` and the like. Pure functions.

/// The CPU's model from `/proc/cpuinfo`: x86's `model name`, an ARM's implementer and parts, or what other architectures say.
pub(crate) fn cpu_model(cpuinfo: &str) -> Option<String> {
    let value = |key: &'static str| values(cpuinfo, key).next().filter(|value| !value.is_empty());
    if let Some(name) = value("model name").filter(|_| value("CPU part").is_none()) {
        return Some(one_spaced(name));
    }
    if let (Some(implementer), Some(_)) = (value("CPU implementer"), value("CPU part")) {
        let mut parts: Vec<&str> = values(cpuinfo, "CPU part").collect();
        parts.sort_unstable();
        parts.dedup();
        return Some(format!("ARM {implementer} part {}", parts.join("+")));
    }
    // POWER says `cpu`, RISC-V `uarch` or `isa`, s390 `processor 0`.
    ["cpu", "uarch", "isa", "processor 0"].into_iter().find_map(value).map(one_spaced)
}

/// Whether `/proc/cpuinfo` of an x86 says that a hypervisor is there.
pub(crate) fn has_hypervisor_flag(cpuinfo: &str) -> bool {
    values(cpuinfo, "flags").next().is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"))
}

/// Whether the maker or product of a board is that of a virtual machine (`/sys/class/dmi/id/sys_vendor`, `product_name`).
pub(crate) fn is_virtual_board(name: &str) -> bool {
    const VIRTUAL: [&str; 12] = [
        "qemu",
        "kvm",
        "vmware",
        "virtualbox",
        "virtual machine",
        "xen",
        "amazon ec2",
        "google compute engine",
        "bochs",
        "openstack",
        "parallels",
        "bhyve",
    ];
    let name = name.to_lowercase();
    VIRTUAL.iter().any(|word| name.contains(word)) && !name.contains(".metal")
}

/// Memory from `/proc/meminfo` in bytes.
pub(crate) fn memory_bytes(meminfo: &str) -> Option<u64> {
    let kibibytes: u64 = values(meminfo, "MemTotal").next()?.split(' ').next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Bytes as GiB, rounded, and at least one: the kernel keeps some of the memory for itself and does not say it.
pub(crate) fn rounded_gib(bytes: u64) -> u32 {
    const GIB: u64 = 1 << 30;
    u32::try_from(bytes.saturating_add(GIB / 2) / GIB).unwrap_or(u32::MAX).max(1)
}

/// The load average of the last minute from `/proc/loadavg`, or from BSD's `{ 1.2 3.4 5.6 }`.
pub(crate) fn load_average(text: &str) -> Option<f64> {
    let first = text.split_whitespace().find(|word| *word != "{")?;
    first.parse().ok().filter(|load: &f64| load.is_finite() && *load >= 0.0)
}

/// The first two numbers of a kernel's release: the rest changes with each patch of a CI machine's image.
pub(crate) fn kernel_version(release: &str) -> Option<String> {
    let mut numbers = release.trim().split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
    Some(format!("{}.{}", numbers.next()?, numbers.next()?))
}

/// The version from `rustc --version`; a nightly's with its commit and date.
pub(crate) fn rustc_version(text: &str) -> Option<String> {
    let version = text.trim().strip_prefix("rustc ")?;
    let short = version.split(' ').next()?;
    Some(if short.contains('-') { version } else { short }.to_owned())
}

/// The values of a key in `key : value` lines.
fn values<'a>(text: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

fn one_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R) CPU   @ 2.00GHz\nflags\t\t: fpu sse hypervisor lm\n\nprocessor\t: 1\nmodel name\t: Intel(R) Xeon(R) CPU   @ 2.00GHz\n";
    const ARM: &str = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0c\n\nprocessor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n\nprocessor\t: 2\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n";
    const OLD_ARM: &str =
        "model name\t: ARMv7 Processor rev 4 (v7l)\nCPU implementer\t: 0x41\nCPU part\t: 0xd03\n";
    const POWER: &str = "processor\t: 0\ncpu\t\t: POWER9 (architected)\n";

    #[test]
    fn each_architecture_has_a_model() {
        assert_eq!(cpu_model(X86).unwrap(), "Intel(R) Xeon(R) CPU @ 2.00GHz");
        assert_eq!(cpu_model(ARM).unwrap(), "ARM 0x41 part 0xd05+0xd0c");
        assert_eq!(cpu_model(OLD_ARM).unwrap(), "ARM 0x41 part 0xd03");
        assert_eq!(cpu_model(POWER).unwrap(), "POWER9 (architected)");
        assert_eq!(cpu_model("model name\t:\n"), None);
    }

    #[test]
    fn virtual_machines_are_known() {
        assert!(has_hypervisor_flag(X86) && !has_hypervisor_flag(ARM));
        assert!(is_virtual_board("QEMU\n") && is_virtual_board("Amazon EC2"));
        assert!(!is_virtual_board("Dell Inc.") && !is_virtual_board("Amazon EC2 m5.metal"));
    }

    #[test]
    fn memory_is_rounded() {
        assert_eq!(memory_bytes("MemTotal:       16393244 kB\nMemFree: 1 kB\n").map(rounded_gib), Some(16));
        assert_eq!(memory_bytes("MemTotal:         400000 kB\n").map(rounded_gib), Some(1));
        assert_eq!(memory_bytes("MemTotal: much"), None);
        assert_eq!(rounded_gib(u64::MAX), u32::MAX);
    }

    #[test]
    fn load_kernel_and_compiler_are_read() {
        assert_eq!(load_average("0.21 0.15 0.10 1/234 5678\n"), Some(0.21));
        assert_eq!(load_average("{ 1.50 1.40 1.30 }\n"), Some(1.5));
        assert_eq!(load_average("nan"), None);
        assert_eq!(kernel_version("6.8.0-1018-azure\n").unwrap(), "6.8");
        assert_eq!(kernel_version("generic"), None);
        assert_eq!(rustc_version("rustc 1.95.0 (59807616e 2026-04-14)\n").unwrap(), "1.95.0");
        assert_eq!(
            rustc_version("rustc 1.97.0-nightly (aaa 2026-05-01)\n").unwrap(),
            "1.97.0-nightly (aaa 2026-05-01)"
        );
        assert_eq!(rustc_version("command not found"), None);
    }
}
