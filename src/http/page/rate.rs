//! How often a token may be tried.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many wrong tokens an address may try in a minute, and all together.
pub(super) const TRIES: u32 = 5;
const TRIES_OF_ALL: u32 = 60;
const SPAN: Duration = Duration::from_secs(60);
/// The most addresses that are counted apart.
const ADDRESSES_MAX: usize = 1_024;

/// Wrong tokens of the last minute.
#[derive(Debug, Default)]
pub(super) struct Rate {
    of: HashMap<IpAddr, (Instant, u32)>,
    all: Option<(Instant, u32)>,
}

impl Rate {
    /// How many tries an address has left, or how long it has to wait for the next.
    pub(super) fn left(&self, address: IpAddr, now: Instant) -> Result<u32, Duration> {
        let of = |counted: Option<&(Instant, u32)>, most: u32| match counted {
            Some((since, count)) if now < *since + SPAN => match most.saturating_sub(*count) {
                0 => Err(*since + SPAN - now),
                left => Ok(left),
            },
            _ => Ok(most),
        };
        let own = of(self.of.get(&network(address)), TRIES)?;
        Ok(own.min(of(self.all.as_ref(), TRIES_OF_ALL)?))
    }

    /// Counts a wrong token.
    pub(super) fn count(&mut self, address: IpAddr, now: Instant) {
        let is_past = |since: Instant| now >= since + SPAN;
        if self.of.len() >= ADDRESSES_MAX {
            self.of.retain(|_, (since, _)| !is_past(*since));
        }
        if self.of.len() < ADDRESSES_MAX {
            let own = self.of.entry(network(address)).or_insert((now, 0));
            *own = if is_past(own.0) { (now, 1) } else { (own.0, own.1 + 1) };
        }
        let all = self.all.get_or_insert((now, 0));
        *all = if is_past(all.0) { (now, 1) } else { (all.0, all.1 + 1) };
    }
}

/// An address; of IPv6 the network, of which one client has all.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.into(),
            None => IpAddr::from((address.to_bits() & !u128::from(u64::MAX)).to_be_bytes()),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock;

    #[test]
    fn an_address_tries_five_times_a_minute_and_all_together_sixty_times() {
        let now = clock::monotonic();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut rate = Rate::default();
        let one = address("10.0.0.1");
        for left in (0..TRIES).rev() {
            rate.count(one, now);
            assert_eq!(rate.left(one, now).ok().unwrap_or(0), left);
        }
        assert_eq!(rate.left(one, now + Duration::from_secs(20)), Err(Duration::from_secs(40)));
        assert_eq!(rate.left(address("::ffff:10.0.0.1"), now), Err(SPAN));
        assert_eq!(rate.left(address("10.0.0.2"), now), Ok(TRIES));
        assert_eq!(rate.left(one, now + SPAN), Ok(TRIES));
        for n in 0..56_u32 {
            rate.count(IpAddr::from(n.to_be_bytes()), now);
        }
        // A network of IPv6 counts as one, and so does everybody.
        assert_eq!(rate.left(address("2001:db8::1"), now), Err(SPAN));
    }
}
