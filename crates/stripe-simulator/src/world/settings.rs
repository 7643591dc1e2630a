use std::collections::BTreeMap;

use crate::chance::seed_of;
use crate::identity::push_base62;
use crate::timeline::{Distribution, Span};

/// The account that an API key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFacts {
    /// E.g. `acct_1SimB7WZ01zgkWwI`.
    pub id: String,
    /// When it was created, unix seconds.
    pub created: i64,
}

impl AccountFacts {
    /// What all long ids of the account have in common.
    pub(crate) fn fragment(&self) -> [u8; 8] {
        let mut letters = Vec::with_capacity(8);
        push_base62(seed_of(0, &self.id), 8, &mut letters);
        letters.try_into().unwrap_or(*b"00000000")
    }
}

/// What a world is made from. Equal settings and catalogs give equal worlds.
#[derive(Debug, Clone)]
pub struct WorldSettings {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// The account behind the key.
    pub account: AccountFacts,
    /// What `livemode` says; in live mode there are no test clocks.
    pub livemode: bool,
    /// Objects per table; tables that are not named are empty.
    pub counts: BTreeMap<String, u64>,
    /// When the objects were created.
    pub span: Span,
    /// How their `created` spreads, unless `distributions` names the table.
    pub distribution: Distribution,
    /// How `created` spreads in particular tables.
    pub distributions: BTreeMap<String, Distribution>,
    /// Whether metadata holds `\u0000`, numbers beyond 2^53 and the like.
    pub oddities: bool,
    /// Of a hundred parents, how many have 11 to 25 items in a list of their own, and one in ten of
    /// those 111 to 250.
    pub long_lists_percent: u8,
}

impl Default for WorldSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            account: AccountFacts { id: "acct_1SimB7WZ01zgkWwI".into(), created: 1_672_531_200 },
            livemode: false,
            counts: BTreeMap::new(),
            // 2023-01-01 to 2026-10-01.
            span: Span { start: 1_672_531_200, end: 1_790_812_800 },
            distribution: Distribution::Uniform,
            distributions: BTreeMap::new(),
            oddities: false,
            long_lists_percent: 3,
        }
    }
}
