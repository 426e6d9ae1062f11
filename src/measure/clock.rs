//! The clock of all latencies, `CLOCK_REALTIME`, and reads from a socket together with the kernel's receive time.
//!
//! A busy client reads late, but the kernel's time stamp says when the data arrived. The stamp belongs to the last segment that
//! the read touched, so the stamp of the read that completes a response is the end of the response.

use std::io;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};

/// Slewing never changes the offset between the two clocks this much; setting the clock does.
const STEP_NS: u64 = 1_000;
/// Readings of that offset, of which the most precise counts.
const OFFSET_READINGS: usize = 5;
/// Steps of a clock that are seen before its smallest is known, and readings that wait for them.
const STEPS_SEEN: usize = 16;
const STEP_READINGS: usize = 1_000_000;
/// How long to wait for the kernel to start stamping, and how long to sleep between reads so that its worker can run.
const GUARD_TIMEOUT: Duration = Duration::from_secs(1);
const GUARD_PAUSE: Duration = Duration::from_micros(500);

/// A reading of `CLOCK_REALTIME` in nanoseconds since 1970, in its own type so that it is never compared with a monotonic one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wall(pub(crate) u64);

impl Wall {
    pub(crate) fn now() -> Self {
        Self(now_ns(ClockId::CLOCK_REALTIME))
    }

    /// The time since an earlier reading, zero if that is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

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

fn now_ns(clock: ClockId) -> u64 {
    Wall::from(clock_gettime(clock).expect("these clocks exist on every Unix")).0
}

/// A moment on both clocks. Nobody can set the monotonic one: it says when something is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall: Wall,
    pub(crate) monotonic: Instant,
}

impl Now {
    pub(crate) fn read() -> Self {
        Self { wall: Wall::now(), monotonic: Instant::now() }
    }
}

/// The offset of the wall clock from the monotonic one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClockOffset {
    ns: i128,
    /// The true offset lies within this distance.
    error_ns: u64,
}

impl ClockOffset {
    pub(crate) fn read() -> Self {
        static SMALLEST_STEP_NS: OnceLock<u64> = OnceLock::new();
        let step_ns = *SMALLEST_STEP_NS.get_or_init(|| smallest_step_ns(&mut now_ns));
        Self::of(&mut now_ns, step_ns)
    }

    /// Of the reading that took least time, by clocks that advance by `step_ns`.
    fn of(now_ns: &mut impl FnMut(ClockId) -> u64, step_ns: u64) -> Self {
        let mut reading = || {
            let before = now_ns(ClockId::CLOCK_MONOTONIC);
            let wall = now_ns(ClockId::CLOCK_REALTIME);
            let after = now_ns(ClockId::CLOCK_MONOTONIC);
            let ns = i128::from(wall) - (i128::from(before) + i128::from(after)) / 2;
            Self { ns, error_ns: (after - before) / 2 + step_ns }
        };
        let readings = (0..OFFSET_READINGS).map(|_| reading());
        readings.min_by_key(|offset| offset.error_ns).expect("at least one reading is made")
    }

    /// Whether somebody has set the wall clock since this reading.
    pub(crate) fn was_set(self) -> bool {
        self.differs_from(Self::read())
    }

    fn differs_from(self, other: Self) -> bool {
        (self.ns - other.ns).unsigned_abs() > u128::from(STEP_NS + self.error_ns + other.error_ns)
    }
}

/// The smallest difference between readings of a clock: what it advances by, or what a reading takes if that is longer. The larger one of
/// both clocks.
fn smallest_step_ns(now_ns: &mut impl FnMut(ClockId) -> u64) -> u64 {
    let mut of = |clock| {
        let (mut last, mut smallest, mut seen) = (now_ns(clock), u64::MAX, 0);
        for _ in 0..STEP_READINGS {
            let now = now_ns(clock);
            // The wall clock may be set back meanwhile.
            if now > last {
                smallest = smallest.min(now - last);
                seen += 1;
            }
            last = now;
            if seen == STEPS_SEEN {
                break;
            }
        }
        if seen == 0 { 0 } else { smallest }
    };
    of(ClockId::CLOCK_MONOTONIC).max(of(ClockId::CLOCK_REALTIME))
}

/// What one read returned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// 0 at the end of the stream.
    pub(crate) bytes: usize,
    pub(crate) at: Wall,
    /// Whether `at` is the kernel's receive time, rather than the time after the read.
    pub(crate) stamped: bool,
}

/// Space for the kernel's time stamp next to the data. To be allocated once per worker.
#[cfg(target_os = "linux")]
pub(crate) fn stamp_buffer() -> Vec<u8> {
    nix::cmsg_space!(nix::sys::socket::Timestamps)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn stamp_buffer() -> Vec<u8> {
    Vec::new()
}

/// Waits for data and reads some of it.
pub(crate) async fn read(stream: &TcpStream, buffer: &mut [u8], stamp: &mut [u8]) -> io::Result<Received> {
    loop {
        stream.readable().await?;
        match try_read(stream, buffer, stamp) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            received => {
                if received.as_ref().is_ok_and(|received| received.bytes == buffer.len()) {
                    // The socket may never run dry: timeouts, other workers and signals need their turn.
                    tokio::task::coop::consume_budget().await;
                }
                return received;
            }
        }
    }
}

/// Reads without waiting; an error of the kind `WouldBlock` if there is no data.
pub(crate) fn try_read(stream: &TcpStream, buffer: &mut [u8], stamp: &mut [u8]) -> io::Result<Received> {
    let mut received = None;
    let outcome = stream.try_io(Interest::READABLE, || {
        let read = receive(stream, buffer, stamp)?;
        received = Some(read);
        // A short read has drained the socket. Reporting that saves a call that would only return EAGAIN. At the end of the
        // stream readiness must stay.
        let is_drained = read.bytes > 0 && read.bytes < buffer.len();
        if is_drained { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    // The data comes first: the error may be the one made above.
    received.map_or_else(|| Err(outcome.err().unwrap_or_else(|| io::ErrorKind::WouldBlock.into())), Ok)
}

/// Asks the kernel to stamp the data that arrives at this socket. If it refuses, reads are counted as unstamped.
#[cfg(target_os = "linux")]
pub(crate) fn enable_stamps(stream: &TcpStream) {
    use nix::sys::socket::{TimestampingFlag, setsockopt, sockopt::Timestamping};
    let flags = TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE;
    let _ = setsockopt(stream, Timestamping, &flags);
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn enable_stamps(_stream: &TcpStream) {}

#[cfg(target_os = "linux")]
fn receive(stream: &TcpStream, buffer: &mut [u8], stamp: &mut [u8]) -> io::Result<Received> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    use std::io::IoSliceMut;
    use std::os::fd::AsRawFd;

    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(stamp), MsgFlags::empty())?;
    let at = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampsns(times) if times.system.tv_sec() > 0 => {
            Some(Wall::from(times.system))
        }
        _ => None,
    });
    Ok(Received { bytes: message.bytes, at: at.unwrap_or_else(Wall::now), stamped: at.is_some() })
}

#[cfg(not(target_os = "linux"))]
fn receive(stream: &TcpStream, buffer: &mut [u8], _stamp: &mut [u8]) -> io::Result<Received> {
    let bytes = stream.try_read(buffer)?;
    Ok(Received { bytes, at: Wall::now(), stamped: false })
}

/// Opens a stamped connection of this process with itself, which is to be kept open for the whole run, and waits until the kernel
/// stamps it. If it never does, reads are counted as unstamped.
///
/// The first stamped socket of a machine turns stamping on in a kernel worker, a moment later. While one is open, every read of
/// every other stamped socket is stamped.
pub(crate) async fn open_stamp_guard() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    let (near, (far, _)) = (near?, far?);
    far.set_nodelay(true)?;
    enable_stamps(&near);
    let started = Instant::now();
    while started.elapsed() < GUARD_TIMEOUT {
        far.writable().await?;
        far.try_write(b"?")?;
        if read(&near, &mut [0; 8], &mut stamp_buffer()).await?.stamped {
            break;
        }
        std::thread::sleep(GUARD_PAUSE);
    }
    Ok((near, far))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_since_a_later_reading_is_zero() {
        let (early, late) = (Wall(1_000), Wall(3_000));
        assert_eq!(late.since(early), Duration::from_micros(2));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.after(Duration::from_micros(2)), late);
    }

    #[test]
    fn an_undisturbed_clock_was_not_set() {
        let offsets: Vec<_> = (0..20).map(|_| ClockOffset::read()).collect();
        // A real clock may be set while the tests run, but not again and again.
        let steps = offsets.iter().filter(|offset| offset.was_set()).count();
        assert!(steps <= 1, "{steps} of {} readings saw a step", offsets.len());
    }

    /// Two clocks that advance by `step_ns`, each reading of which takes a random time up to `cost_ns`.
    fn clocks(step_ns: u64, cost_ns: u64, offset_ns: &std::cell::Cell<u64>) -> impl FnMut(ClockId) -> u64 {
        let (mut rng, mut true_ns) = (fastrand::Rng::with_seed(7), 1_000_000_123);
        move |clock| {
            true_ns += rng.u64(cost_ns / 2..=cost_ns);
            let offset_ns = if clock == ClockId::CLOCK_REALTIME { offset_ns.get() } else { 0 };
            (true_ns + offset_ns) / step_ns * step_ns
        }
    }

    #[test]
    fn a_clock_that_is_read_in_microseconds_shows_no_false_steps_and_true_ones() {
        for (step_ns, cost_ns) in [(1, 25), (279, 1_300), (1_000, 60), (1_000, 4_000), (4_000_000, 30)] {
            let offset_ns = std::cell::Cell::new(1_700_000_000_123_456_789);
            let mut now_ns = clocks(step_ns, cost_ns, &offset_ns);
            let smallest = smallest_step_ns(&mut now_ns);
            let first = ClockOffset::of(&mut now_ns, smallest);
            for _ in 0..10_000 {
                let next = ClockOffset::of(&mut now_ns, smallest);
                assert!(!first.differs_from(next), "{step_ns} ns, {cost_ns} ns: {first:?} {next:?}");
            }
            offset_ns.set(offset_ns.get() - 20_000_000);
            let next = ClockOffset::of(&mut now_ns, smallest);
            assert!(first.differs_from(next), "{step_ns} ns, {cost_ns} ns: {first:?} {next:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_late_read_is_stamped_with_the_time_of_arrival() {
        let _guard = open_stamp_guard().await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        enable_stamps(&near);
        let (far, _) = listener.accept().await.unwrap();
        far.writable().await.unwrap();
        let before = Wall::now();
        far.try_write(b"hello").unwrap();
        let after = Wall::now();
        std::thread::sleep(Duration::from_millis(20));
        let got = read(&near, &mut [0; 64], &mut stamp_buffer()).await.unwrap();
        assert_eq!(got.bytes, 5);
        assert!(
            got.stamped && before <= got.at && got.at <= after,
            "{got:?} not within {before:?} and {after:?}"
        );
    }
}
