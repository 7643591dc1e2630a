//! Landmarks: rows that name objects of a list which cannot be narrowed by time.

/// A property whose values are ids of objects in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Landmarks {
    /// Table of the list.
    pub table: &'static str,
    /// What the ids of its objects begin with: the property may hold others too.
    pub prefix: &'static str,
    /// Table of the rows that name them.
    pub named_by: &'static str,
    /// The property of these rows.
    pub property: &'static str,
}

const fn payment_methods(named_by: &'static str, property: &'static str) -> Landmarks {
    Landmarks { table: "payment_method", prefix: "pm_", named_by, property }
}

/// Where objects of long lists without a `created` filter are named.
pub const LANDMARKS: [Landmarks; 4] = [
    payment_methods("charge", "payment_method"),
    payment_methods("payment_intent", "payment_method"),
    payment_methods("setup_intent", "payment_method"),
    payment_methods("subscription", "default_payment_method"),
];

/// The landmarks that the rows of `table` name.
pub fn landmarks_of(table: &str) -> impl Iterator<Item = &'static Landmarks> {
    LANDMARKS.iter().filter(move |landmarks| landmarks.named_by == table)
}
