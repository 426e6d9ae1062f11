//! Histograms of durations in nanoseconds: dense while a round lasts, compressed once it has ended.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

/// Three significant digits: a value is shown at most 0.1 % too high.
const SIGNIFICANT_DIGITS: u8 = 3;
/// The longest duration that is told apart: an hour.
const HIGHEST_NS: u64 = 3_600_000_000_000;

/// A dense histogram of durations, from 1 ns to an hour.
#[derive(Debug, Clone)]
pub struct LatencyHistogram(Histogram<u64>);

/// A histogram in HdrHistogram's compressed form (V2, deflate, base64), as it stands in `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EncodedHistogram(pub String);

impl LatencyHistogram {
    /// An empty one.
    pub fn new() -> Self {
        Self(
            Histogram::new_with_bounds(1, HIGHEST_NS, SIGNIFICANT_DIGITS)
                .expect("1 ns to 1 h at three digits are allowed bounds"),
        )
    }

    /// Counts one duration; what is longer than an hour counts as an hour.
    pub fn record(&mut self, duration: Duration) {
        self.0.saturating_record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1));
    }

    /// How many durations were counted.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value that a share `q` (0 to 1) of the durations does not exceed, in nanoseconds; nothing when empty.
    pub fn quantile_ns(&self, q: f64) -> Option<f64> {
        (!self.is_empty()).then(|| self.0.value_at_quantile(q) as f64)
    }

    /// The mean in nanoseconds; nothing when empty.
    pub fn mean_ns(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.0.mean())
    }

    /// The shortest in nanoseconds; nothing when empty.
    pub fn min_ns(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.0.min() as f64)
    }

    /// The longest in nanoseconds; nothing when empty.
    pub fn max_ns(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.0.max() as f64)
    }

    /// Adds all that another one has counted.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all of ours have the same bounds");
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// The compressed form; empty text for an empty histogram.
    pub fn encode(&self) -> EncodedHistogram {
        if self.is_empty() {
            return EncodedHistogram::default();
        }
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.0, &mut bytes)
            .expect("writing to memory cannot fail, and u64 counts fit");
        EncodedHistogram(STANDARD.encode(bytes))
    }
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl EncodedHistogram {
    /// The dense form; nothing when the text is not such a histogram.
    pub fn decode(&self) -> Option<LatencyHistogram> {
        let mut dense = LatencyHistogram::new();
        if self.0.is_empty() {
            return Some(dense);
        }
        let bytes = STANDARD.decode(&self.0).ok()?;
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
        dense.0.add(&read).ok()?;
        Some(dense)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compressed_form_is_read_back() {
        let mut histogram = LatencyHistogram::new();
        for microseconds in [10, 20, 20, 5_000] {
            histogram.record(Duration::from_micros(microseconds));
        }
        let encoded = histogram.encode();
        assert!(encoded.0.len() < 400, "{} bytes", encoded.0.len());
        let read = encoded.decode().unwrap();
        assert_eq!(read.len(), 4);
        assert_eq!(read.quantile_ns(0.5), histogram.quantile_ns(0.5));
        assert_eq!(read.max_ns(), histogram.max_ns());
        assert_eq!(LatencyHistogram::new().encode().decode().unwrap().len(), 0);
    }

    #[test]
    fn damaged_text_is_no_histogram() {
        assert!(EncodedHistogram("not base64!".into()).decode().is_none());
        assert!(EncodedHistogram("AAAA".into()).decode().is_none());
    }

    #[test]
    fn what_lies_beyond_the_bounds_is_kept_at_the_bound() {
        let mut histogram = LatencyHistogram::new();
        histogram.record(Duration::ZERO);
        histogram.record(Duration::from_secs(100_000));
        assert_eq!(histogram.len(), 2);
        assert!(histogram.max_ns().unwrap() >= HIGHEST_NS as f64);
    }
}
