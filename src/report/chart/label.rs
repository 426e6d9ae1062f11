//! Finds room for labels beside the ends of lines: wished heights flow in, heights without overlap flow out.

/// Moves labels of equal height apart as little as possible (least squares), within `top` and `bottom`.
///
/// `wished` are the middles of the labels; the answer is in the same order. The order by height is kept: with
/// `z = y − rank·height` this is an isotonic regression, solved by pooling adjacent violators (Barlow et al. 1972).
/// Labels that all together are higher than the room overlap evenly.
pub(crate) fn spread(wished: &[f64], height: f64, top: f64, bottom: f64) -> Vec<f64> {
    let count = wished.len();
    if count == 0 {
        return Vec::new();
    }
    let room = (bottom - top).max(0.0);
    let height = height.min(room / count as f64);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| wished[a].total_cmp(&wished[b]));

    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (rank, &index) in order.iter().enumerate() {
        let mut block = (wished[index] - rank as f64 * height, 1);
        while let Some(&(mean, size)) = blocks.last() {
            if mean <= block.0 {
                break;
            }
            blocks.pop();
            let pooled = mean * size as f64 + block.0 * block.1 as f64;
            block = (pooled / (size + block.1) as f64, size + block.1);
        }
        blocks.push(block);
    }

    let lowest = top + height / 2.0;
    let highest = (bottom - height / 2.0 - (count - 1) as f64 * height).max(lowest);
    let mut placed = vec![0.0; count];
    let shifts = blocks.iter().flat_map(|&(z, size)| std::iter::repeat_n(z, size));
    for ((rank, &index), z) in order.iter().enumerate().zip(shifts) {
        placed[index] = z.clamp(lowest, highest) + rank as f64 * height;
    }
    placed
}

/// Which of the labels, given as `(left, right)` from left to right, can stand without touching: the last always can.
pub(crate) fn without_collision(spans: &[(f64, f64)], least_gap: f64) -> Vec<bool> {
    let mut shown = vec![false; spans.len()];
    let mut limit = f64::INFINITY;
    for (index, &(left, right)) in spans.iter().enumerate().rev() {
        if right + least_gap <= limit {
            shown[index] = true;
            limit = left;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_with_room_stay_where_they_are() {
        assert_eq!(spread(&[50.0, 10.0, 90.0], 15.0, 0.0, 100.0), [50.0, 10.0, 90.0]);
        assert!(spread(&[], 15.0, 0.0, 100.0).is_empty());
    }

    #[test]
    fn labels_on_one_spot_spread_evenly_around_it() {
        assert_eq!(spread(&[50.0; 3], 10.0, 0.0, 100.0), [40.0, 50.0, 60.0]);
    }

    #[test]
    fn labels_never_overlap_nor_leave_the_room() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let count = rng.usize(1..=20);
            let wished: Vec<f64> = (0..count).map(|_| rng.f64() * 400.0 - 50.0).collect();
            let mut placed = spread(&wished, 15.0, 0.0, 300.0);
            placed.sort_by(f64::total_cmp);
            assert!(placed[0] >= 7.5 - 1e-9 && placed[count - 1] <= 292.5 + 1e-9);
            assert!(placed.windows(2).all(|pair| pair[1] - pair[0] >= 15.0 - 1e-9));
        }
    }

    #[test]
    fn too_many_labels_share_the_room_evenly() {
        let placed = spread(&[5.0; 10], 20.0, 0.0, 100.0);
        assert_eq!((placed[0], placed[9]), (5.0, 95.0));
    }

    #[test]
    fn colliding_tick_labels_are_left_out_from_the_right() {
        let spans = [(0.0, 10.0), (8.0, 18.0), (20.0, 30.0), (31.0, 41.0)];
        assert_eq!(without_collision(&spans, 4.0), [false, true, false, true]);
    }
}
