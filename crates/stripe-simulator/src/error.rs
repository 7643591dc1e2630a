/// What can go wrong when a simulated account is built, changed or served.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The catalog has no such table, or nothing lists it without a parent.
    #[error("API version {api_version} has no listable table `{table}`; `/_sim/tables` names all of them")]
    UnknownTable {
        /// The name that was asked for.
        table: String,
        /// The version of the catalog.
        api_version: String,
    },
    /// Events cannot be made: they tell of changes.
    #[error("`{table}` holds what happened: change other objects, and their events are there")]
    Events {
        /// The table.
        table: String,
    },
    /// There is no living object of this id.
    #[error("there is no `{id}` in `{table}`")]
    NoSuchObject {
        /// Where it was looked for.
        table: String,
        /// The id.
        id: String,
    },
    /// The id is taken.
    #[error("`{table}` already has an object `{id}`")]
    Exists {
        /// The table.
        table: String,
        /// The id.
        id: String,
    },
    /// Stripe never changes this property.
    #[error("`{property}` of an object cannot change")]
    FixedProperty {
        /// The property.
        property: String,
    },
    /// Nested lists hold objects of another table.
    #[error("`{property}` is a list: create, update or delete objects of `{item_table}` instead")]
    NestedList {
        /// The property that holds the list.
        property: String,
        /// The table of its items.
        item_table: String,
    },
    /// An object that lives under a parent needs to name a living one.
    #[error(
        "an object of `{table}` must name the existing object that it belongs to (property or key `parent`)"
    )]
    NoParent {
        /// The table.
        table: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A fault rule, a limit or the like makes no sense.
    #[error("{0}")]
    Invalid(String),
}
