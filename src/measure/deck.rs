//! The order in which several endpoints are taken.

use fastrand::Rng;

use crate::plan::Order;

/// Deals indices of endpoints.
#[derive(Debug)]
pub(crate) struct Deck {
    order: Order,
    rng: Rng,
    cards: Vec<usize>,
    next: usize,
}

impl Deck {
    /// For so many endpoints. The same seed deals the same.
    pub(crate) fn new(endpoints: usize, order: Order, seed: u64) -> Self {
        Self { order, rng: Rng::with_seed(seed), cards: (0..endpoints).collect(), next: endpoints }
    }

    /// The next endpoint.
    pub(crate) fn deal(&mut self) -> usize {
        match (self.order, self.cards.len()) {
            (_, 1) => 0,
            (Order::Random, endpoints) => self.rng.usize(..endpoints),
            (Order::Deck, endpoints) => {
                if self.next == endpoints {
                    self.rng.shuffle(&mut self.cards);
                    self.next = 0;
                }
                self.next += 1;
                self.cards[self.next - 1]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_card_comes_once_before_any_comes_again() {
        let mut deck = Deck::new(5, Order::Deck, 1);
        let mut decks: Vec<Vec<usize>> = (0..20).map(|_| (0..5).map(|_| deck.deal()).collect()).collect();
        assert!(decks.iter().any(|cards| cards != &decks[0]));
        for cards in &mut decks {
            cards.sort_unstable();
            assert_eq!(cards, &[0, 1, 2, 3, 4]);
        }
    }

    #[test]
    fn the_same_seed_deals_the_same() {
        for order in [Order::Deck, Order::Random] {
            let (mut one, mut other) = (Deck::new(7, order, 3), Deck::new(7, order, 3));
            assert!((0..50).all(|_| one.deal() == other.deal()));
        }
    }
}
