//! Many tests, one level: adjusted p values.

/// Holm's step-down adjusted p values (1979), in the order given; compare each with the level of the whole family.
///
/// The chance of any false rejection stays below that level whatever the dependence between the tests. A test that
/// could not be made belongs in the family with p = 1 and is never rejected; a NaN or a p outside 0 to 1 is read as
/// the nearer sound value, NaN as 1. Equal p values get equal adjusted ones.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let sound = |p: f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| sound(p_values[a]).total_cmp(&sound(p_values[b])));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest_so_far: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        let still_open = (p_values.len() - rank) as f64;
        largest_so_far = largest_so_far.max((still_open * sound(p_values[index])).min(1.0));
        adjusted[index] = largest_so_far;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_holm(p_values: &[f64], expected: &[f64]) {
        let found = holm(p_values);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{p_values:?} gave {found}, not {expected}");
        }
    }

    #[test]
    fn worked_examples() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm").
        assert_holm(&[0.01, 0.04, 0.03, 0.005], &[0.03, 0.06, 0.06, 0.02]);
        assert_holm(&[0.01, 0.02, 0.03], &[0.03, 0.04, 0.04]);
        assert_holm(&[0.2], &[0.2]);
        assert_holm(&[], &[]);
    }

    #[test]
    fn ties_share_their_adjusted_value_in_any_order() {
        assert_holm(&[0.01, 0.01, 0.01, 0.5], &[0.04, 0.04, 0.04, 0.5]);
        assert_holm(&[0.5, 0.01, 0.01, 0.01], &[0.5, 0.04, 0.04, 0.04]);
    }

    #[test]
    fn untestable_ones_count_and_are_never_rejected() {
        assert_holm(&[0.001, 1.0, f64::NAN], &[0.003, 1.0, 1.0]);
        assert_holm(&[-0.5, 7.0], &[0.0, 1.0]);
    }

    #[test]
    fn the_family_is_wrong_no_more_often_than_its_level() {
        let mut rng = fastrand::Rng::with_seed(6);
        let trials = 20_000;
        let wrong = (0..trials)
            .filter(|_| {
                // Two true effects, eight without: only those eight can be false alarms.
                let mut p_values = [1e-9; 10];
                p_values[2..].fill_with(|| rng.f64());
                holm(&p_values)[2..].iter().any(|&p| p < 0.05)
            })
            .count();
        let rate = wrong as f64 / f64::from(trials);
        assert!((0.04..0.053).contains(&rate), "{rate}");
    }
}
