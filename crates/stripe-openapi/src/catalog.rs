//! What one version of Stripe's API offers, as far as a copy of an account needs to know it.
//!
//! A [`Catalog`] is compact and owned: it is compiled from an OpenAPI document by [`crate::parse`]
//! or read from the embedded facts by [`crate::embedded`].

/// Everything known about one API version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// The version this catalog describes, e.g. `2020-08-27` or `2026-10-28.endive`.
    pub api_version: String,
    /// First the resources with a list of their own, sorted by its path; then those that can only be
    /// listed under a parent or appear in nested lists, sorted by table name.
    pub resources: Vec<Resource>,
}

impl Catalog {
    /// The resource whose table is `table`.
    pub fn resource(&self, table: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.table == table)
    }

    /// Resources that can be listed without naming a parent: one stream each.
    pub fn listable(&self) -> impl Iterator<Item = (&Resource, &ListEndpoint)> {
        self.resources.iter().filter_map(|resource| resource.list.as_ref().map(|list| (resource, list)))
    }
}

/// One kind of object, e.g. `charge` or `checkout.session`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Table and stream name, e.g. `checkout_session`.
    pub table: String,
    /// Stripe's `x-resourceId`, e.g. `checkout.session`.
    pub resource_id: String,
    /// The list that needs no parent, if there is one.
    pub list: Option<ListEndpoint>,
    /// Lists under a parent, e.g. `/v1/invoices/{invoice}/lines`.
    pub child_lists: Vec<ChildList>,
    /// Path that answers one object by id, e.g. `/v1/charges/{charge}`.
    pub retrieve_path: Option<String>,
    /// Top-level properties without the reserved names and list envelopes, sorted by name.
    pub columns: Vec<Column>,
    /// Properties that hold a list envelope, e.g. `lines` of an invoice, sorted by name.
    pub nested_lists: Vec<NestedList>,
    /// Event types that carry this resource, sorted by name.
    pub events: Vec<EventType>,
}

impl Resource {
    /// Whether any event tells of changes to this resource.
    pub fn supports_realtime(&self) -> bool {
        !self.events.is_empty()
    }

    /// The nested list held by `property`, if the property holds one.
    pub fn nested_list(&self, property: &str) -> Option<&NestedList> {
        self.nested_lists.iter().find(|nested| nested.property == property)
    }
}

/// How a list is paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListStyle {
    /// `starting_after` cursors, `has_more`, unix seconds.
    V1,
    /// `page` tokens, `next_page_url`, RFC 3339 times.
    V2,
}

/// A list that answers objects of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEndpoint {
    /// E.g. `/v1/charges`.
    pub path: String,
    /// How the list is paged.
    pub style: ListStyle,
    /// All query parameters, sorted by name; `expand` included.
    pub parameters: Vec<Parameter>,
}

impl ListEndpoint {
    /// Whether the list takes the query parameter `name`.
    pub fn takes(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.name == name)
    }

    /// Whether the list can be narrowed by `created[gte]` and `created[lt]`.
    ///
    /// A list that takes the bounds as parameters of their own (`created_gte`) compares `created` for
    /// equality only.
    pub fn filters_created(&self) -> bool {
        self.takes("created") && !self.takes("created_gte")
    }
}

/// A query parameter of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// E.g. `status`.
    pub name: String,
    /// Whether a request without it is refused.
    pub required: bool,
    /// The allowed values where the document names them, sorted.
    pub values: Vec<String>,
}

/// A list under a parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildList {
    /// The list itself; its path has one or more `{…}` segments, or names its parent by a required
    /// query parameter, e.g. `/v1/subscription_items?subscription=…`.
    pub list: ListEndpoint,
    /// Name of the path or query parameter of the immediate parent, e.g. `invoice`.
    pub parent_parameter: String,
    /// Table of the parent where it is a resource of the catalog, e.g. `invoice`.
    pub parent_table: Option<String>,
}

impl ChildList {
    /// Whether the parent is named in the path rather than in the query.
    pub fn parent_in_path(&self) -> bool {
        self.list.path.contains(&format!("{{{}}}", self.parent_parameter))
    }

    /// Required query parameters beside the parent: a list that has any cannot be filled from its
    /// parent alone.
    pub fn further_required(&self) -> impl Iterator<Item = &Parameter> {
        self.list
            .parameters
            .iter()
            .filter(|parameter| parameter.required && parameter.name != self.parent_parameter)
    }
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Any string but a date-time.
    Text,
    /// `true` or `false`.
    Boolean,
    /// An integer; unix times are integers too.
    BigInt,
    /// A JSON number that need not be an integer.
    Numeric,
    /// An object or an array.
    Json,
    /// A string in RFC 3339 form.
    Timestamp,
}

/// A top-level property of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The property's name.
    pub name: String,
    /// Its type after merging all the document's candidates.
    pub column_type: ColumnType,
    /// Whether it may be null or absent.
    pub nullable: bool,
    /// Whether it is an id that Stripe can expand into the object.
    pub expandable: bool,
}

/// A property that holds the first items of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NestedList {
    /// The property's name, e.g. `lines`.
    pub property: String,
    /// Table of the items, where the document names it, e.g. `line_item`: a resource of the catalog.
    pub item_table: Option<String>,
}

/// An event type that carries a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    /// E.g. `customer.subscription.deleted`.
    pub name: String,
    /// Whether the event means that the object is gone from the API.
    pub deletes: bool,
}
