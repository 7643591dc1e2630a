//! Which parent a child belongs to, in both directions and without an index.
//!
//! Children and parents are cut into the same number of groups. A child's parent is drawn from the
//! group of parents beside its own, so the children of a parent are all found in one small group.

use crate::chance::{below, draw, mix};

/// Children in one group, about.
const GROUP: u64 = 64;

/// How `children` generated objects refer to `parents` generated objects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kinship {
    pub(crate) parents: u64,
    pub(crate) children: u64,
    pub(crate) seed: u64,
}

impl Kinship {
    fn groups(&self) -> u64 {
        self.children.div_ceil(GROUP).min(self.parents).max(1)
    }

    /// The parent of the generated `child`; `None` when there are no parents.
    pub(crate) fn parent(&self, child: u64) -> Option<u64> {
        if self.parents == 0 {
            return None;
        }
        let drawn = draw(self.seed, child, 0x9a7e);
        if child >= self.children {
            return Some(below(drawn, self.parents));
        }
        let groups = self.groups();
        let group = scale(child, groups, self.children);
        let first = scale(group, self.parents, groups);
        let width = scale(group + 1, self.parents, groups) - first;
        // In some groups one parent has half of all children: long lists must exist.
        let crowded = group.wrapping_add(self.seed).is_multiple_of(6) && drawn.is_multiple_of(2);
        Some(first + if crowded { 0 } else { below(mix(drawn), width) })
    }

    /// The generated children that may belong to `parent`, as a range of ordinals.
    pub(crate) fn candidates(&self, parent: u64) -> std::ops::Range<u64> {
        if parent >= self.parents || self.children == 0 {
            return 0..0;
        }
        let groups = self.groups();
        // The group whose parents begin at or before this one.
        let mut group = scale(parent, groups, self.parents);
        while scale(group + 1, self.parents, groups) <= parent {
            group += 1;
        }
        scale_up(group, self.children, groups)..scale_up(group + 1, self.children, groups)
    }
}

fn scale(value: u64, numerator: u64, denominator: u64) -> u64 {
    (u128::from(value) * u128::from(numerator) / u128::from(denominator)) as u64
}

fn scale_up(value: u64, numerator: u64, denominator: u64) -> u64 {
    (u128::from(value) * u128::from(numerator)).div_ceil(u128::from(denominator)) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_child_is_among_its_parents_candidates(
            parents in 1u64..2_000, children in 1u64..2_000, seed: u64,
        ) {
            let kinship = Kinship { parents, children, seed };
            for child in 0..children {
                let parent = kinship.parent(child).unwrap();
                prop_assert!(parent < parents);
                prop_assert!(kinship.candidates(parent).contains(&child));
            }
        }
    }

    #[test]
    fn some_parents_have_more_than_ten_children() {
        let kinship = Kinship { parents: 1_000, children: 1_000, seed: 4 };
        let of = |parent| kinship.candidates(parent).filter(|c| kinship.parent(*c) == Some(parent)).count();
        assert!((0..1_000).any(|parent| of(parent) > 10));
        assert!((0..1_000).any(|parent| of(parent) == 0));
    }

    #[test]
    fn without_parents_there_is_no_parent() {
        assert_eq!(Kinship { parents: 0, children: 5, seed: 1 }.parent(2), None);
        assert_eq!(Kinship { parents: 0, children: 5, seed: 1 }.candidates(0), 0..0);
    }
}
