//! Repeatable randomness: every value is a pure function of a seed, an ordinal and a salt.

/// Scrambles 64 bits (the finaliser of SplitMix64): similar inputs give unrelated outputs.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A seed that belongs to `name`.
pub(crate) fn seed_of(seed: u64, name: &str) -> u64 {
    name.bytes().fold(mix(seed), |hash, byte| mix(hash ^ u64::from(byte)))
}

/// The value drawn for `ordinal` under `salt`.
pub(crate) fn draw(seed: u64, ordinal: u64, salt: u64) -> u64 {
    mix(mix(seed ^ salt).wrapping_add(ordinal.wrapping_mul(0xd134_2543_de82_ef95)))
}

/// Maps a drawn value evenly onto `0..n`; 0 when `n` is 0.
pub(crate) fn below(drawn: u64, n: u64) -> u64 {
    ((u128::from(drawn) * u128::from(n)) >> 64) as u64
}

/// Maps a drawn value evenly onto `[0, 1)`.
pub(crate) fn unit(drawn: u64) -> f64 {
    (drawn >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether a drawn value falls into the first `percent` of a hundred.
pub(crate) fn percent(drawn: u64, percent: u64) -> bool {
    below(drawn, 100) < percent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_stays_below_and_reaches_every_value() {
        let mut seen = [false; 7];
        for ordinal in 0..200 {
            seen[below(draw(1, ordinal, 2), 7) as usize] = true;
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(below(u64::MAX, 0), 0);
    }

    #[test]
    fn units_are_below_one() {
        assert!(unit(u64::MAX) < 1.0);
        assert_eq!(unit(0), 0.0);
    }
}
