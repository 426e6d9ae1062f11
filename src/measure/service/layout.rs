//! That both sides of a duet find their stack at the same place.
//!
//! The kernel lays a program's path, arguments and environment at the top of its stack, so that each byte of them moves every frame
//! below. That alone can make a program several per cent faster or slower (Mytkowicz, Diwan, Hauswirth, Sweeney: Producing Wrong Data
//! Without Doing Anything Obviously Wrong!, ASPLOS 2009), and it is no property of the code that a duet compares. Where the
//! kernel moves stacks at random, launches average it out; where it does not (`setarch -R`, some sandboxes), nothing does. So
//! the lighter side of a duet gets a variable of as many bytes as it lacks, and the other an empty one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The variable that makes up for what one side lacks.
pub(super) const PADDING: &str = "PLIMSOLL_PADDING";

/// What the kernel lays there: the path that it runs, the arguments with the program's name as the first, and the environment.
/// Each is a text with an end, and each but the path has a pointer.
pub(super) fn weight_bytes<'a>(
    path: &OsStr,
    args: impl Iterator<Item = &'a OsStr>,
    env: &BTreeMap<OsString, OsString>,
) -> usize {
    const END: usize = 1;
    const EQUALS: usize = 1;
    const POINTER: usize = size_of::<usize>();
    let args: usize = args.map(|arg| arg.len() + END + POINTER).sum();
    let env = env.iter().map(|(name, value)| name.len() + EQUALS + value.len() + END + POINTER);
    path.len() + END + args + env.sum::<usize>()
}

/// What each of two sides gets in [`PADDING`].
pub(super) fn paddings(one: usize, other: usize) -> (String, String) {
    let lacks = |own: usize, other: usize| "0".repeat(other.saturating_sub(own));
    (lacks(one, other), lacks(other, one))
}
