//! The clock that the kernel stamps received data with: `CLOCK_REALTIME`, in a type of its own, so that it is never compared
//! with a monotonic one.

use std::io;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};

/// A change of the distance between the two clocks that no slewing makes: somebody set the clock.
const STEP: Duration = Duration::from_micros(1);
/// Readings of that distance, of which the narrowest counts.
const READINGS: usize = 5;

/// A reading of `CLOCK_REALTIME`, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wall(u64);

impl Wall {
    /// The time now.
    pub(crate) fn now() -> Self {
        Self(nanoseconds(ClockId::CLOCK_REALTIME))
    }

    /// A reading of another origin.
    #[cfg(test)]
    pub(crate) const fn from_ns(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// The time that passed since an earlier reading; nothing passes backwards.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This reading and a duration later.
    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl From<TimeSpec> for Wall {
    fn from(time: TimeSpec) -> Self {
        let whole = |value: i64| u64::try_from(value).unwrap_or(0);
        Self(whole(time.tv_sec()) * 1_000_000_000 + whole(time.tv_nsec()))
    }
}

fn nanoseconds(clock: ClockId) -> u64 {
    Wall::from(clock_gettime(clock).expect("these clocks exist wherever Unix does")).0
}

/// Tells whether the wall clock was set while something was timed.
///
/// Slewing moves both clocks alike; only a step changes their distance.
#[derive(Debug)]
pub(crate) struct StepWatch {
    distance_ns: i128,
}

impl StepWatch {
    /// Starts to watch.
    pub(crate) fn start() -> Self {
        Self { distance_ns: distance_ns() }
    }

    /// Whether the clock was set since the start.
    pub(crate) fn stepped(&self) -> bool {
        (distance_ns() - self.distance_ns).unsigned_abs() > STEP.as_nanos()
    }
}

/// The wall clock's distance from the monotonic one, read where the reading took least.
fn distance_ns() -> i128 {
    let reading = || {
        let before = nanoseconds(ClockId::CLOCK_MONOTONIC);
        let wall = nanoseconds(ClockId::CLOCK_REALTIME);
        let after = nanoseconds(ClockId::CLOCK_MONOTONIC);
        (after - before, i128::from(wall) - (i128::from(before) + i128::from(after)) / 2)
    };
    let narrowest = (0..READINGS).map(|_| reading()).min_by_key(|(width, _)| *width);
    narrowest.map(|(_, distance)| distance).expect("at least one reading is made")
}

/// How long to wait for the kernel to begin stamping, and how long to sleep between looks (its worker must get a turn).
const GUARD_PATIENCE: Duration = Duration::from_secs(1);
const GUARD_PAUSE: Duration = Duration::from_micros(500);

/// What one read gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read {
    /// Bytes; 0 at the end of the stream.
    pub(crate) bytes: usize,
    /// When they arrived.
    pub(crate) at: Wall,
    /// Whether the kernel said so.
    pub(crate) stamped: bool,
}

/// Room for what the kernel says beside the data; made once a worker, since a read is made for each response.
#[derive(Debug)]
pub(crate) struct Control(Vec<u8>);

impl Control {
    #[cfg(target_os = "linux")]
    pub(crate) fn new() -> Self {
        Self(nix::cmsg_space!(nix::sys::socket::Timestamps))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }
}

/// Waits for data and reads some of it.
pub(crate) async fn read(stream: &TcpStream, buffer: &mut [u8], control: &mut Control) -> io::Result<Read> {
    loop {
        stream.readable().await?;
        match read_now(stream, buffer, control) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => {
                if read.as_ref().is_ok_and(|read| read.bytes == buffer.len()) {
                    // The socket may never run dry: time-outs, other workers and signals must get their turn.
                    tokio::task::coop::consume_budget().await;
                }
                return read;
            }
        }
    }
}

/// Reads what is there; an error of the kind `WouldBlock` when there is nothing.
pub(crate) fn read_now(stream: &TcpStream, buffer: &mut [u8], control: &mut Control) -> io::Result<Read> {
    let mut got = None;
    let outcome = stream.try_io(Interest::READABLE, || {
        let read = receive(stream, buffer, control)?;
        got = Some(read);
        // A short read has drained the socket: saying so saves the call that would only be told EAGAIN. At the end of the
        // stream readiness must stay.
        let drained = read.bytes > 0 && read.bytes < buffer.len();
        if drained { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    // What was read counts: the error may be the one made above.
    got.map_or_else(|| Err(outcome.err().unwrap_or_else(|| io::ErrorKind::WouldBlock.into())), Ok)
}

/// Asks the kernel to stamp what arrives at this socket. Where it will not, reads are stamped by this process.
#[cfg(target_os = "linux")]
pub(crate) fn enable(stream: &TcpStream) {
    use nix::sys::socket::{TimestampingFlag, setsockopt, sockopt::Timestamping};
    let flags = TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE;
    // A kernel without it still serves: `unstamped` counts what it did not stamp.
    let _ = setsockopt(stream, Timestamping, &flags);
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn enable(_stream: &TcpStream) {}

#[cfg(target_os = "linux")]
fn receive(stream: &TcpStream, buffer: &mut [u8], control: &mut Control) -> io::Result<Read> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    use std::io::IoSliceMut;
    use std::os::fd::AsRawFd;

    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut control.0), MsgFlags::empty())?;
    let stamp = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampsns(times) if times.system.tv_sec() > 0 => {
            Some(Wall::from(times.system))
        }
        _ => None,
    });
    Ok(Read { bytes: message.bytes, at: stamp.unwrap_or_else(Wall::now), stamped: stamp.is_some() })
}

#[cfg(not(target_os = "linux"))]
fn receive(stream: &TcpStream, buffer: &mut [u8], _control: &mut Control) -> io::Result<Read> {
    let bytes = stream.try_read(buffer)?;
    Ok(Read { bytes, at: Wall::now(), stamped: false })
}

/// A stamped connection of this process with itself, kept open for the whole run.
///
/// The machine's first stamped socket turns stamping on in a worker of the kernel, some time later; while one is alive, each
/// read is stamped from the first.
#[derive(Debug)]
pub(crate) struct Guard {
    _ends: Option<(TcpStream, TcpStream)>,
}

impl Guard {
    /// Opens the connection, and waits until the kernel stamps it. Without success reads are stamped by this process.
    pub(crate) async fn open() -> Self {
        Self { _ends: Self::try_open().await.ok() }
    }

    async fn try_open() -> io::Result<(TcpStream, TcpStream)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
        let (near, (far, _)) = (near?, far?);
        far.set_nodelay(true)?;
        enable(&near);
        let begun = std::time::Instant::now();
        while begun.elapsed() < GUARD_PATIENCE {
            far.writable().await?;
            far.try_write(b"?")?;
            if read(&near, &mut [0; 8], &mut Control::new()).await?.stamped {
                break;
            }
            std::thread::sleep(GUARD_PAUSE);
        }
        Ok((near, far))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_passes_backwards() {
        let (early, late) = (Wall::from_ns(1_000), Wall::from_ns(3_000));
        assert_eq!(late.since(early), Duration::from_micros(2));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.after(Duration::from_micros(2)), late);
    }

    #[test]
    fn a_clock_that_is_left_alone_does_not_step() {
        let watches: Vec<_> = (0..20).map(|_| StepWatch::start()).collect();
        let steps = watches.iter().filter(|watch| watch.stepped()).count();
        assert!(steps < watches.len(), "each of {} readings saw a step", watches.len());
    }

    #[tokio::test]
    async fn a_late_read_is_stamped_with_the_time_of_arrival() {
        let _guard = Guard::open().await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        enable(&near);
        let (far, _) = listener.accept().await.unwrap();
        far.writable().await.unwrap();
        let before = Wall::now();
        far.try_write(b"hello").unwrap();
        let after = Wall::now();
        std::thread::sleep(Duration::from_millis(20));
        let got = read(&near, &mut [0; 64], &mut Control::new()).await.unwrap();
        assert_eq!(got.bytes, 5);
        assert!(
            got.stamped && before <= got.at && got.at <= after,
            "{got:?} not within {before:?} and {after:?}"
        );
    }
}
