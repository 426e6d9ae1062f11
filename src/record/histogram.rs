//! Histograms of durations in nanoseconds: dense while a round lasts, sparse once it has ended, compressed in files.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Three significant digits: a value is at most 0.1% too high.
const SIGNIFICANT_DIGITS: u8 = 3;
/// The longest duration that is recorded: an hour.
const HIGHEST_NS: u64 = 3_600_000_000_000;

/// A dense histogram of durations, from 1 ns to an hour.
#[derive(Debug, Clone)]
pub struct LatencyHistogram(hdrhistogram::Histogram<u64>);

/// A histogram that keeps only the values that occurred: each with its count, in order. In files it stands in HdrHistogram's
/// compressed form (V2, deflate, base64).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram(Vec<(u64, u64)>);

impl LatencyHistogram {
    /// An empty one.
    pub fn new() -> Self {
        Self(
            hdrhistogram::Histogram::new_with_bounds(1, HIGHEST_NS, SIGNIFICANT_DIGITS)
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

    /// The quantile `q` (0 to 1) in nanoseconds; `None` if it is empty.
    pub fn quantile_ns(&self, q: f64) -> Option<f64> {
        (!self.is_empty()).then(|| self.0.value_at_quantile(q) as f64)
    }

    /// The mean in nanoseconds; `None` if it is empty.
    pub fn mean_ns(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.0.mean())
    }

    /// The shortest in nanoseconds; `None` if it is empty.
    pub fn min_ns(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.0.min() as f64)
    }

    /// The longest in nanoseconds; `None` if it is empty.
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

    /// The values that occurred in nanoseconds, each with its count, in order.
    pub fn values_ns(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter_recorded().map(|value| (value.value_iterated_to(), value.count_at_value()))
    }

    /// The values that occurred.
    pub fn to_sparse(&self) -> Histogram {
        Histogram(self.values_ns().collect())
    }

    /// HdrHistogram's compressed form; empty for an empty histogram.
    pub fn encode(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.0, &mut bytes)
            .expect("writing to memory cannot fail, and u64 counts fit");
        STANDARD.encode(bytes)
    }

    /// The histogram of a compressed form; `None` if the text is not one.
    pub fn decode(text: &str) -> Option<Self> {
        let mut dense = Self::new();
        if !text.is_empty() {
            let bytes = STANDARD.decode(text).ok()?;
            let read: hdrhistogram::Histogram<u64> =
                hdrhistogram::serialization::Deserializer::new().deserialize(&mut bytes.as_slice()).ok()?;
            dense.0.add(&read).ok()?;
        }
        Some(dense)
    }
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds all values to a dense histogram.
    pub fn add_to(&self, dense: &mut LatencyHistogram) {
        for &(value, count) in &self.0 {
            dense.0.saturating_record_n(value, count);
        }
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut dense = LatencyHistogram::new();
        self.add_to(&mut dense);
        serializer.serialize_str(&dense.encode())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let dense = LatencyHistogram::decode(&text);
        dense.map(|dense| dense.to_sparse()).ok_or_else(|| de::Error::custom("a histogram is damaged"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_the_same_histogram_back() {
        let mut histogram = LatencyHistogram::new();
        for microseconds in [10, 20, 20, 5_000] {
            histogram.record(Duration::from_micros(microseconds));
        }
        let sparse = histogram.to_sparse();
        let text = serde_json::to_string(&sparse).unwrap();
        assert!(text.len() < 400, "{} bytes", text.len());
        assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), sparse);
        let mut again = LatencyHistogram::new();
        sparse.add_to(&mut again);
        assert_eq!((again.len(), again.quantile_ns(0.5)), (4, histogram.quantile_ns(0.5)));
        assert_eq!(serde_json::to_string(&Histogram::default()).unwrap(), "\"\"");
    }

    #[test]
    fn damaged_text_is_not_a_histogram() {
        for text in ["not base64!", "AAAA"] {
            assert!(LatencyHistogram::decode(text).is_none(), "{text}");
        }
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
