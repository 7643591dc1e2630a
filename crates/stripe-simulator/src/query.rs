//! Reads query strings, as strictly as Stripe.

use percent_encoding::percent_decode_str;
use stripe_openapi::knowledge::lists::{V1_PAGE_LIMIT, V2_PAGE_LIMIT};
use stripe_openapi::{ListEndpoint, ListStyle};

use crate::lore::{self, HiddenRows};
use crate::refusal::Refusal;
use crate::world::World;

/// A parsed query string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let decode =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self { pairs: pairs.collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether any form of `name` is given: `name`, `name[]`, `name[gte]`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| base(key) == name)
    }

    /// The values of `expand[]`.
    pub(crate) fn expand(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(|(key, _)| base(key) == "expand").map(|(_, value)| value.as_str())
    }
}

/// `created[gte]` → `created`.
pub(crate) fn base(key: &str) -> &str {
    key.split('[').next().unwrap_or(key)
}

/// The names in brackets: `recurring[interval]` → `interval`.
fn brackets(key: &str) -> Vec<&str> {
    key.split('[').skip(1).map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty()).collect()
}

/// Inclusive bounds of an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl Bounds {
    pub(crate) const ALL: Self = Self { low: i64::MIN, high: i64::MAX };

    fn narrow(&mut self, operator: &str, value: i64) -> bool {
        match operator {
            "" => (self.low, self.high) = (self.low.max(value), self.high.min(value)),
            "gt" => self.low = self.low.max(value.saturating_add(1)),
            "gte" => self.low = self.low.max(value),
            "lt" => self.high = self.high.min(value.saturating_sub(1)),
            "lte" => self.high = self.high.min(value),
            _ => return false,
        }
        true
    }

    pub(crate) fn contains(self, value: i64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// A condition on one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) column: usize,
    /// Keys inside the property, outermost first.
    pub(crate) path: Vec<String>,
    pub(crate) accept: Accept,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Accept {
    /// The property, as text, is one of these.
    OneOf(Vec<String>),
    /// The property is an integer within bounds.
    Within(Bounds),
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cursor {
    Start,
    After(String),
    Before(String),
    /// A v2 page token.
    Token(String),
}

/// What a list request asks for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) limit: usize,
    pub(crate) cursor: Cursor,
    pub(crate) created: Bounds,
    pub(crate) filters: Vec<Filter>,
    pub(crate) hidden: Vec<HiddenRows>,
    pub(crate) expand: Vec<String>,
}

/// Reads the parameters of a list request. `parent` is a parameter that names the parent.
pub(crate) fn read(
    query: &Query,
    list: &ListEndpoint,
    world: &World,
    table: usize,
    parent: Option<&str>,
) -> Result<Ask, Refusal> {
    let v2 = list.style == ListStyle::V2;
    let own = &world.tables[table];
    let mut ask = Ask {
        limit: if v2 { V2_PAGE_LIMIT } else { 10 },
        cursor: Cursor::Start,
        created: Bounds::ALL,
        filters: Vec::new(),
        hidden: Vec::new(),
        expand: Vec::new(),
    };
    for (key, value) in &query.pairs {
        let name = base(key);
        let paging = v2 && matches!(name, "limit" | "page");
        if !paging && !list.takes(name) {
            return Err(Refusal::unknown_parameter(key));
        }
        match name {
            "limit" => ask.limit = limit(value, if v2 { V2_PAGE_LIMIT } else { V1_PAGE_LIMIT })?,
            "starting_after" => ask.cursor = Cursor::After(value.clone()),
            "ending_before" => ask.cursor = Cursor::Before(value.clone()),
            "page" if v2 => ask.cursor = Cursor::Token(value.clone()),
            "expand" | "include" => {}
            "created" | "created_gt" | "created_gte" | "created_lt" | "created_lte" => {
                let operator =
                    name.strip_prefix("created_").unwrap_or_else(|| brackets(key).first().unwrap_or(&""));
                let second = time(key, value, operator, v2)?;
                if !ask.created.narrow(operator, second) {
                    return Err(Refusal::unknown_parameter(key));
                }
            }
            // The list of v2 events took its bounds bare in the first version that had them.
            "gt" | "gte" | "lt" | "lte" if v2 => {
                ask.created.narrow(name, time(key, value, name, v2)?);
            }
            _ if Some(name) == parent => {}
            _ => filter(&mut ask, key, value, list, world, table)?,
        }
    }
    if query.has("starting_after") && query.has("ending_before") {
        return Err(Refusal::both_cursors());
    }
    let required = list.parameters.iter().filter(|p| p.required).map(|p| p.name.as_str());
    if let Some(missing) = required.chain(parent).find(|name| !query.has(name)) {
        return Err(Refusal::missing_parameter(missing));
    }
    if !list.takes("starting_after") && !v2 {
        ask.limit = usize::MAX;
    }
    for wanted in query.expand() {
        let property = wanted.strip_prefix("data.").and_then(|wanted| expandable(world, table, wanted));
        ask.expand.push(property.ok_or_else(|| Refusal::cannot_expand_in_list(wanted))?);
    }
    ask.hidden = lore::HIDDEN_ROWS
        .iter()
        .filter(|rule| rule.table == own.name)
        .filter(|rule| rule.until.is_none_or(|until| *world.catalog.api_version < *until))
        .filter(|rule| rule.unless.is_none_or(|parameter| list.takes(parameter) && !query.has(parameter)))
        .copied()
        .collect();
    Ok(ask)
}

/// The property that an `expand[]` value names, if it can be expanded.
pub(crate) fn expandable(world: &World, table: usize, wanted: &str) -> Option<String> {
    let property = wanted.split('.').next().unwrap_or(wanted);
    let resource = world.resource(table);
    let known = resource.columns.iter().any(|column| column.expandable && column.name == property)
        || resource.nested_lists.iter().any(|nested| nested.property == property);
    known.then(|| property.to_owned())
}

fn limit(value: &str, most: usize) -> Result<usize, Refusal> {
    let number: i64 = value.parse().map_err(|_| Refusal::no_integer("limit", value))?;
    let refuse = |words: String| Refusal::new(400, words).code("parameter_invalid_integer").param("limit");
    match number {
        ..1 => Err(refuse("This value must be greater than or equal to 1.".into())),
        _ if number as u64 > most as u64 => {
            Err(refuse(format!("This value must be less than or equal to {most}.")))
        }
        _ => Ok(number as usize),
    }
}

/// Seconds of a bound; a v2 time between two seconds is rounded so that the comparison stays right.
fn time(key: &str, value: &str, operator: &str, v2: bool) -> Result<i64, Refusal> {
    if !v2 {
        return value.parse().map_err(|_| Refusal::no_integer(key, value));
    }
    let time: jiff::Timestamp =
        value.parse().map_err(|_| Refusal::new(400, format!("Invalid timestamp: {value}")).param(key))?;
    let floor = time.as_millisecond().div_euclid(1000);
    let partial = time.as_millisecond().rem_euclid(1000) != 0;
    Ok(if partial && matches!(operator, "gte" | "lt") { floor + 1 } else { floor })
}

fn filter(
    ask: &mut Ask,
    key: &str,
    value: &str,
    list: &ListEndpoint,
    world: &World,
    table: usize,
) -> Result<(), Refusal> {
    let name = base(key);
    let own = &world.tables[table];
    let parameter = list.parameters.iter().find(|parameter| parameter.name == name);
    if let Some(parameter) = parameter
        && !parameter.values.is_empty()
        && !parameter.values.iter().any(|allowed| allowed == value)
    {
        return Err(Refusal::not_one_of(name, &parameter.values));
    }
    let wide = lore::WIDE_VALUES.iter().find(|(t, p, v, _)| *t == own.name && *p == name && *v == value);
    let accepted: Vec<String> = match wide {
        Some((_, _, _, [])) => return Ok(()),
        Some((_, _, _, stands_for)) => stands_for.iter().map(|value| (*value).to_owned()).collect(),
        None => vec![value.to_owned()],
    };
    let singular = match name {
        "ids" | "types" | "lookup_keys" | "statuses" => {
            name.strip_suffix("s").map(|n| if n == "statuse" { "status" } else { n })
        }
        _ => None,
    };
    let layout = world.layout(table);
    let column = layout
        .column(name)
        .or_else(|| layout.column(singular?))
        .ok_or_else(|| Refusal::not_simulated(name))?;
    let inside = brackets(key);
    if let [operator @ ("gt" | "gte" | "lt" | "lte")] = inside[..] {
        let mut bounds = Bounds::ALL;
        bounds.narrow(operator, value.parse().map_err(|_| Refusal::no_integer(key, value))?);
        ask.filters.push(Filter { column, path: Vec::new(), accept: Accept::Within(bounds) });
        return Ok(());
    }
    // `types[]=a&types[0]=b` accept either value.
    let path: Vec<String> =
        inside.iter().filter(|part| part.parse::<u32>().is_err()).map(|part| (*part).to_owned()).collect();
    let same = ask.filters.iter_mut().find(|f| f.column == column && f.path == path && key.contains("["));
    match same.map(|filter| &mut filter.accept) {
        Some(Accept::OneOf(values)) => values.extend(accepted),
        _ => ask.filters.push(Filter { column, path, accept: Accept::OneOf(accepted) }),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("created%5Bgte%5D=5&email=a%2Bb%40x.y&name=J+R&flag");
        assert_eq!(query.get("created[gte]"), Some("5"));
        assert_eq!(query.get("email"), Some("a+b@x.y"));
        assert_eq!(query.get("name"), Some("J R"));
        assert_eq!(query.get("flag"), Some(""));
        assert!(query.has("created") && !query.has("create"));
    }

    #[test]
    fn bounds_narrow() {
        let mut bounds = Bounds::ALL;
        assert!(bounds.narrow("gt", 4) && bounds.narrow("lte", 9) && bounds.narrow("gte", 2));
        assert_eq!(bounds, Bounds { low: 5, high: 9 });
        assert!(!bounds.narrow("near", 4));
    }

    #[test]
    fn fractions_of_a_second_are_rounded_to_keep_the_comparison() {
        let at = |operator| time("created", "1970-01-01T00:00:05.500Z", operator, true).unwrap();
        assert_eq!((at("gte"), at("lt"), at("gt"), at("lte")), (6, 6, 5, 5));
        assert_eq!(time("created", "1970-01-01T00:00:05.000Z", "lt", true).unwrap(), 5);
        assert!(time("created", "yesterday", "lt", true).is_err());
    }
}
