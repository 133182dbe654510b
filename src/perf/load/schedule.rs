//! When each request is due, and for which endpoint.

use std::time::Duration;

/// Deals endpoints by their weights, as evenly as can be: smooth weighted round robin
/// (nginx, commit 52327e0627f4). The same weights always give the same order.
#[derive(Debug, Clone)]
pub(super) struct Dealer {
    weights: Vec<f64>,
    credit: Vec<f64>,
    total: f64,
}

impl Dealer {
    pub(super) fn new(weights: Vec<f64>) -> Self {
        let credit = vec![0.0; weights.len()];
        let total = weights.iter().sum();
        Self { weights, credit, total }
    }

    /// The index of the next endpoint.
    pub(super) fn next(&mut self) -> usize {
        let mut best = 0;
        for at in 0..self.weights.len() {
            self.credit[at] += self.weights[at];
            if self.credit[at] > self.credit[best] {
                best = at;
            }
        }
        if let Some(credit) = self.credit.get_mut(best) {
            *credit -= self.total;
        }
        best
    }
}

/// A request that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// When it is due, from the beginning.
    pub(super) due: Duration,
    /// The index of its endpoint.
    pub(super) endpoint: usize,
}

/// Arrivals at a constant rate, whatever becomes of the requests.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    dealer: Dealer,
    rate: f64,
    next: u64,
    end: Duration,
}

impl Schedule {
    /// `rate` requests in a second, of all endpoints together, until `end`.
    pub(super) fn new(weights: Vec<f64>, rate: f64, end: Duration) -> Self {
        Self { dealer: Dealer::new(weights), rate, next: 0, end }
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        // Computed from its number, so that rounding errors do not accumulate.
        let due = Duration::try_from_secs_f64(self.next as f64 / self.rate).ok()?;
        if due >= self.end {
            return None;
        }
        self.next += 1;
        Some(Arrival { due, endpoint: self.dealer.next() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arrivals_are_evenly_apart() {
        let schedule = Schedule::new(vec![1.0], 200.0, Duration::from_secs(3));
        let due: Vec<_> = schedule.map(|arrival| arrival.due).collect();
        assert_eq!(due.len(), 600);
        assert_eq!(due[599], Duration::from_millis(2_995));
        assert!(due.windows(2).all(|pair| pair[1] - pair[0] == Duration::from_millis(5)));
    }

    #[test]
    fn weights_are_dealt_evenly() {
        let mut dealer = Dealer::new(vec![5.0, 1.0, 1.0]);
        let dealt: Vec<_> = (0..7).map(|_| dealer.next()).collect();
        assert_eq!(dealt, [0, 0, 1, 0, 2, 0, 0]);
    }

    proptest! {
        #[test]
        fn each_endpoint_gets_its_share(weights in prop::collection::vec(0.1..9.0_f64, 1..6)) {
            let total: f64 = weights.iter().sum();
            let mut dealer = Dealer::new(weights.clone());
            let mut dealt = vec![0.0; weights.len()];
            for _ in 0..500 {
                dealt[dealer.next()] += 1.0;
            }
            for (dealt, weight) in dealt.iter().zip(&weights) {
                let due = 500.0 * weight / total;
                prop_assert!((dealt - due).abs() <= weights.len() as f64, "{dealt} of {due}");
            }
        }
    }
}
