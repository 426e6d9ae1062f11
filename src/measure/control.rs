//! The control: a small fixed server of plimsoll's own that shows whether the machine behaves as it did when stored runs were measured.
//!
//! It answers two requests, each of which computes for about 200 µs, and is loaded with one connection, so that its latency is the speed of
//! a CPU. Work that fills a core, reads memory or calls the kernel differed by 10 to 40% from launch to launch on a shared machine,
//! which tells nothing.
//! The control is started between the launches of the run's services, at least as often as they are. The bench program is its server, too: it runs
//! its own file again.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::measure::service::{Launcher, ServiceError};
use crate::plan::{Cell, CellId, Endpoint, Group, Load, Location, Service};
use crate::record::Environment;

/// The first argument of a process that is the control's server. The second one is the port.
const ARGUMENT: &str = "plimsoll-control";
/// Changes whenever the server or its load changes: older figures then mean something else.
const VERSION: u32 = 1;
/// The names of the figures and the paths that they are measured on.
const FIGURES: [(&str, &str); 2] = [("multiply", "/multiply"), ("hash", "/hash")];
/// Multiplications that wait for one another.
const MULTIPLICATIONS: u64 = 90_000;
/// Blocks to hash with SHA-256, for which many CPUs have instructions of their own.
const BLOCKS: usize = 24;
const BLOCK: [u8; 8192] = [7; 8192];
/// Fewer launches leave the figures too uncertain: of a shared machine, whose launches differ by 4%, twenty leave 1%.
const LEAST_LAUNCHES: usize = 20;
/// The share of the time of all rounds that the control may take for its own.
const SHARE: f64 = 0.025;
/// The time of all its rounds is at least this long, or its figures would be too uncertain, and at most that long.
const LEAST_TIME: Duration = Duration::from_millis(500);
const MOST_TIME: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_millis(2);

/// Becomes the control's server if this process was started to be it. Returns only if it was not.
///
/// # Errors
/// If the port cannot be bound.
pub(crate) fn serve_if_asked() -> io::Result<()> {
    let mut args = std::env::args_os().skip(1).map(|arg| arg.into_string().unwrap_or_default());
    if args.next().as_deref() != Some(ARGUMENT) {
        return Ok(());
    }
    let port = args.next().and_then(|port| port.parse().ok()).unwrap_or(0);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    for connection in listener.incoming() {
        // An end of a connection is no error: the check whether the port accepts ends it without a request.
        _ = connection.and_then(answer);
    }
    Ok(())
}

/// Answers all requests of one connection. They come one by one.
fn answer(mut connection: TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut request = [0; 4096];
    while let read @ 1.. = connection.read(&mut request)? {
        if request[..read].starts_with(b"GET /hash") {
            hash()
        } else {
            multiply()
        }
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
    }
    Ok(())
}

fn multiply() {
    let odd = black_box(0xbf58_476d_1ce4_e5b9_u64);
    black_box((0..MULTIPLICATIONS).fold(1, |product: u64, step| (product ^ step).wrapping_mul(odd)));
}

fn hash() {
    let mut digest = Sha256::new();
    (0..BLOCKS).for_each(|_| digest.update(black_box(&BLOCK)));
    black_box(digest.finalize());
}

/// What a control must share with another one so that their figures can be compared.
pub(crate) fn identity(environment: &Environment) -> String {
    let fact = |name: &str| environment.setup.get(name).map_or("unknown", String::as_str);
    let [plimsoll, rustc, profile] = ["plimsoll", "rustc", "profile"].map(fact);
    format!("control {VERSION} of plimsoll {plimsoll}, rustc {rustc}, {profile}")
}

/// The control's server and its load.
pub(super) struct ControlServer {
    pub(super) launcher: Launcher,
    /// Its load: a cell for each figure.
    pub(super) group: Group,
    /// How often it is started in each run.
    pub(super) launches: usize,
}

impl ControlServer {
    /// A server that `program` becomes: the file of this process.
    pub(super) fn prepare(program: &Path, root: &Path) -> Result<Self, ServiceError> {
        let service = Service::command(program.to_string_lossy()).args([ARGUMENT, "{port}"]);
        let mut group = Group::new("control", Location::unknown());
        group.service = service.into();
        group.settings.warm_up_time = WARM_UP;
        group.cells = FIGURES
            .map(|(name, path)| Cell {
                id: CellId::new("control", name),
                targets: Endpoint::get(path).into(),
                load: Load::closed(1),
                throughput: None,
                location: Location::unknown(),
                metrics: None,
            })
            .to_vec();
        let launcher = Launcher::prepare(&group.service, &[], root)?;
        Ok(Self { launcher, group, launches: 0 })
    }

    /// Sets its launches and the length of its rounds, for a run in which a service has that many launches and all rounds take that
    /// time. Returns the time of all its rounds.
    pub(super) fn size_for(&mut self, launches: usize, windows: Duration) -> Duration {
        self.launches = launches.max(LEAST_LAUNCHES);
        let settings = &mut self.group.settings;
        settings.sample_size = self.launches * FIGURES.len();
        settings.measurement_time = windows.mul_f64(SHARE).clamp(LEAST_TIME, MOST_TIME);
        settings.measurement_time
    }
}
