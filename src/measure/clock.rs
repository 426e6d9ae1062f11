//! The clock of all latencies, `CLOCK_REALTIME`, and reads from a socket together with the kernel's receive time.
//!
//! A busy client reads late, but the kernel's time stamp says when the data arrived. The stamp belongs to the last segment that
//! the read touched, so the stamp of the read that completes a response is the end of the response.

use std::io;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};

/// Slewing never changes the offset between the two clocks this much; setting the clock does.
const STEP: Duration = Duration::from_micros(1);
/// Readings of that offset, of which the most precise counts.
const OFFSET_READINGS: usize = 5;
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

/// Whether somebody has set the wall clock since it had this [offset](clock_offset_ns).
pub(crate) fn clock_was_set(offset_before_ns: i128) -> bool {
    (clock_offset_ns() - offset_before_ns).unsigned_abs() > STEP.as_nanos()
}

/// The offset of the wall clock from the monotonic one, from the reading that took least time.
pub(crate) fn clock_offset_ns() -> i128 {
    let reading = || {
        let before = now_ns(ClockId::CLOCK_MONOTONIC);
        let wall = now_ns(ClockId::CLOCK_REALTIME);
        let after = now_ns(ClockId::CLOCK_MONOTONIC);
        (after - before, i128::from(wall) - (i128::from(before) + i128::from(after)) / 2)
    };
    let fastest = (0..OFFSET_READINGS).map(|_| reading()).min_by_key(|(took, _)| *took);
    fastest.map(|(_, offset)| offset).expect("at least one reading is made")
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
    let started = std::time::Instant::now();
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
        let offsets: Vec<_> = (0..20).map(|_| clock_offset_ns()).collect();
        let steps = offsets.iter().filter(|offset| clock_was_set(**offset)).count();
        assert!(steps < offsets.len(), "each of {} readings saw a step", offsets.len());
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
