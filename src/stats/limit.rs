//! Absolute limits on a percentile ("p99 below 50 ms"), by counting the requests over the limit.
//!
//! With independent requests the count is binomial, so nothing need be known of the latencies' distribution
//! (the early-stopping rule of MLPerf's LoadGen). Requests that come in bursts are not independent: give whole
//! blocks for requests then.

use super::special::beta_tails;

/// p value of "the limit is broken", small when it is shown to *hold*: P(Bin(requests, 1 - share) <= over).
///
/// `share` is the percentile as a fraction (0.99), `over` the requests beyond the limit. 1 if nothing can be said.
pub fn p_holds(requests: u64, over: u64, share: f64) -> f64 {
    if over >= requests || !(share > 0.0 && share < 1.0) {
        return 1.0;
    }
    beta_tails((requests - over) as f64, over as f64 + 1.0, share, 1.0 - share).0
}

/// p value of "the limit holds", small when it is shown to be *broken*: P(Bin(requests, 1 - share) >= over).
pub fn p_broken(requests: u64, over: u64, share: f64) -> f64 {
    let over = over.min(requests);
    if over == 0 || !(share > 0.0 && share < 1.0) {
        return 1.0;
    }
    beta_tails((requests - over) as f64 + 1.0, over as f64, share, 1.0 - share).1
}

/// The fewest requests that show a limit to hold at `confidence` when `over` of them lie beyond it.
///
/// `None` if `share` or `confidence` is not strictly between 0 and 1, or no number below 2^53 is enough.
pub fn least_requests(over: u64, share: f64, confidence: f64) -> Option<u64> {
    const MOST: u64 = 1 << 53;
    if !(share > 0.0 && share < 1.0 && confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let shown = |requests: u64| p_holds(requests, over, share) <= 1.0 - confidence;
    let mut enough = over.checked_add(1)?;
    while !shown(enough) {
        enough = enough.checked_mul(2).filter(|&enough| enough < MOST)?;
    }
    let mut too_few = over;
    while enough - too_few > 1 {
        let middle = too_few + (enough - too_few) / 2;
        if shown(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_requests_at_99_per_cent_match_the_table() {
        const OVER: [u64; 8] = [0, 1, 2, 5, 10, 20, 50, 100];
        for (share, least) in [
            (0.9, [44, 64, 81, 127, 197, 325, 681, 1_246]),
            (0.95, [90, 130, 165, 259, 398, 656, 1_372, 2_504]),
            (0.99, [459, 662, 838, 1_307, 2_010, 3_304, 6_898, 12_571]),
            (0.999, [4_603, 6_636, 8_403, 13_105, 20_140, 33_097, 69_058, 125_826]),
        ] {
            for (over, least) in OVER.into_iter().zip(least) {
                assert_eq!(least_requests(over, share, 0.99), Some(least), "{share}, {over} over");
            }
        }
    }

    #[test]
    fn without_a_request_over_it_the_rule_is_a_power() {
        assert!((p_holds(459, 0, 0.99) - 0.99_f64.powi(459)).abs() < 1e-12);
        assert!((p_broken(10, 10, 0.9) - 1e-10).abs() < 1e-20);
    }

    #[test]
    fn broken_and_holding_are_the_two_tails_of_one_binomial() {
        for over in 1..40 {
            let sum = p_broken(1000, over, 0.99) + p_holds(1000, over - 1, 0.99);
            assert!((sum - 1.0).abs() < 1e-12);
        }
        assert!(p_broken(1000, 25, 0.99) < 1e-4);
        assert!(p_holds(1000, 1, 0.99) < 1e-3);
    }

    #[test]
    fn nothing_can_be_said_without_requests_or_a_percentile() {
        assert_eq!(p_holds(0, 0, 0.99), 1.0);
        assert_eq!(p_holds(5, 5, 0.99), 1.0);
        assert_eq!(p_broken(0, 0, 0.99), 1.0);
        assert_eq!(p_broken(100, 0, 0.99), 1.0);
        assert_eq!(p_broken(100, 3, f64::NAN), 1.0);
        assert_eq!(least_requests(0, 1.0, 0.99), None);
        assert_eq!(least_requests(u64::MAX, 0.99, 0.99), None);
    }
}
