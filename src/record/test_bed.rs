//! The machine that a run was measured on, identified as well as the system allows.
//!
//! Two virtual machines with the same CPU model can differ by half in speed, so a model does not make a machine. Stored runs are
//! compared with only on their own test bed: by the name that the user gave it, else by the machine id where there is no virtual machine
//! and no container, else by the boot id.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::hex::hex;

/// Hashed together with an id: machine and boot ids must not leave their machine.
const APPLICATION: &[u8] = b"plimsoll test bed";
/// Bytes of a hash that are kept: enough for the machines of a team.
const HASH_BYTES: usize = 6;
/// The inodes of the namespaces that the kernel starts with (`include/linux/proc_ns.h`).
const INITIAL_NAMESPACES: [(&str, &str); 2] =
    [("/proc/self/ns/pid", "pid:[4026531836]"), ("/proc/self/ns/uts", "uts:[4026531838]")];

/// The machine that a run was measured on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestBed {
    /// `name:NAME`, `machine:HASH` or `boot:HASH`: runs with the same id are comparable. `None` if the system has none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A hash of the machine id, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// A hash of the boot id, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
}

impl TestBed {
    /// This machine, by the name that the user gave it, if any.
    ///
    /// `is_virtual`: it is a virtual machine, whose machine id may come from an image.
    pub(crate) fn here(name: Option<&str>, is_virtual: bool) -> Self {
        let hash = |path: &str| read(Path::new(path)).map(|id| hashed(&id));
        let machine = hash("/etc/machine-id");
        let boot = hash("/proc/sys/kernel/random/boot_id")
            .or_else(|| sysctl("kern.bootsessionuuid").map(|id| hashed(&id)));
        let is_whole_machine = !is_virtual && is_outside_containers();
        let id = match (name, &machine, &boot) {
            (Some(name), _, _) => Some(format!("name:{name}")),
            (None, Some(machine), _) if is_whole_machine => Some(format!("machine:{machine}")),
            (None, _, Some(boot)) => Some(format!("boot:{boot}")),
            (None, _, None) => None,
        };
        Self { id, machine, boot }
    }

    /// Whether what was measured on both can be compared. A test bed without an id is not even comparable with itself.
    pub fn is_same(&self, other: &Self) -> bool {
        self.id.is_some() && self.id == other.id
    }

    /// Whether two test beds of one name are two machines.
    pub fn is_another_machine_of(&self, other: &Self) -> bool {
        let differ =
            |one: &Option<String>, other: &Option<String>| one.is_some() && other.is_some() && one != other;
        self.is_same(other) && differ(&self.machine, &other.machine)
    }
}

/// The first bytes of the HMAC of a text, keyed with an id, as systemd derives an id for an application.
fn hashed(id: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(id.as_bytes()).expect("an HMAC takes a key of any length");
    mac.update(APPLICATION);
    hex(&mac.finalize().into_bytes(), HASH_BYTES)
}

fn is_outside_containers() -> bool {
    INITIAL_NAMESPACES
        .iter()
        .all(|(path, initial)| fs::read_link(path).is_ok_and(|own| own == Path::new(initial)))
}

fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    // systemd writes `uninitialized` into the file of an image.
    (text.len() >= 32).then(|| text.to_owned())
}

/// A value of the kernel on macOS; `None` elsewhere.
pub(crate) fn sysctl(name: &str) -> Option<String> {
    if cfg!(target_os = "macos") {
        answer(Command::new("sysctl").args(["-n", name])).filter(|value| !value.is_empty())
    } else {
        None
    }
}

/// What a command prints; `None` if it fails.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_the_same_as_itself_and_keeps_its_ids_to_itself() {
        let (one, other) = (TestBed::here(None, true), TestBed::here(None, true));
        assert!(one.is_same(&other), "{one:?}");
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        assert_eq!(one.id, one.boot.as_ref().map(|hash| format!("boot:{hash}")));
        assert!(
            one.boot
                .is_some_and(|hash| hash.len() == 2 * HASH_BYTES && !boot.replace('-', "").contains(&hash))
        );
    }

    #[test]
    fn a_name_counts_more_than_what_the_system_says() {
        let named = TestBed::here(Some("runner"), true);
        assert_eq!(named.id.as_deref(), Some("name:runner"));
        let tomorrow = TestBed { boot: Some("another".into()), ..named.clone() };
        assert!(named.is_same(&tomorrow) && !named.is_another_machine_of(&tomorrow));
        let machine = |id: &str| TestBed { machine: Some(id.into()), ..named.clone() };
        assert!(machine("a").is_another_machine_of(&machine("b")) && machine("a").is_same(&machine("b")));
        assert!(!named.is_same(&TestBed::here(None, true)));
    }

    #[test]
    fn a_test_bed_without_an_id_is_comparable_with_nothing() {
        let unknown = TestBed::default();
        assert!(!unknown.is_same(&unknown));
    }

    #[test]
    fn a_hash_is_the_hmac_that_anybody_can_compute() {
        // printf 'plimsoll test bed' | openssl dgst -sha256 -hmac 'id'
        assert_eq!(hashed("id"), "d2c14d8d2519");
    }
}
