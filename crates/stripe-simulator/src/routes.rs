//! Which URL leads where.

use std::collections::{HashMap, HashSet};

use stripe_openapi::{Catalog, ListEndpoint, ListStyle, Parameter};

use crate::world::{Family, World};

/// What a URL answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// The account behind the key.
    OwnAccount,
    List {
        table: usize,
        list: ListEndpoint,
    },
    Children {
        table: usize,
        list: ListEndpoint,
        /// `None` when the parents are not simulated: no parent exists.
        family: Option<usize>,
        parent_parameter: String,
        parent_in_path: bool,
    },
    Retrieve {
        table: usize,
        parameter: String,
    },
}

#[derive(Debug)]
pub(crate) struct Route {
    /// E.g. `/v1/charges/{charge}`: the name under which requests are counted and limited.
    pub(crate) pattern: String,
    pub(crate) endpoint: Endpoint,
}

/// All routes of one API version.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    routes: Vec<Route>,
    literal: HashMap<String, usize>,
    by_length: HashMap<usize, Vec<usize>>,
}

impl Routes {
    pub(crate) fn new(world: &World) -> Self {
        let mut routes = Self::default();
        let catalog: &Catalog = &world.catalog;
        routes.add("/v1/account", Endpoint::OwnAccount);
        for (table, resource) in catalog.resources.iter().enumerate() {
            if let Some(list) = &resource.list {
                routes.add(&list.path, Endpoint::List { table, list: list.clone() });
            }
        }
        for (table, resource) in catalog.resources.iter().enumerate() {
            for child in &resource.child_lists {
                let parent = child.parent_table.as_deref();
                let family = world.families.iter().position(|family| {
                    family.child == table
                        && Some(catalog.resources[family.parent].table.as_str()) == parent
                        && leads_to(family, &child.list.path)
                });
                let endpoint = Endpoint::Children {
                    table,
                    list: child.list.clone(),
                    family,
                    parent_parameter: child.parent_parameter.clone(),
                    parent_in_path: child.parent_in_path(),
                };
                routes.add(&child.list.path, endpoint);
            }
            if let Some(path) = &resource.retrieve_path
                && let Some((_, tail)) = path.rsplit_once('{')
            {
                let parameter = tail.trim_end_matches('}').to_owned();
                routes.add(path, Endpoint::Retrieve { table, parameter });
            }
        }
        // The `url` of every nested list works, also where the documents forgot it.
        for (index, family) in world.families.iter().enumerate() {
            if family.property.is_some() && !family.url.0.contains('?') {
                let path = format!("{}{{parent}}{}", family.url.0, family.url.1);
                let endpoint = Endpoint::Children {
                    table: family.child,
                    list: plain_list(&path),
                    family: Some(index),
                    parent_parameter: "parent".into(),
                    parent_in_path: true,
                };
                routes.add(&path, endpoint);
            }
        }
        routes
    }

    fn add(&mut self, pattern: &str, endpoint: Endpoint) {
        let shape: Vec<&str> =
            pattern.split('/').map(|s| if s.starts_with('{') { "{}" } else { s }).collect();
        let taken: HashSet<String> = self.routes.iter().map(|route| shape_of(&route.pattern)).collect();
        if taken.contains(&shape.join("/")) {
            return;
        }
        let index = self.routes.len();
        match pattern.contains('{') {
            false => {
                self.literal.insert(pattern.to_owned(), index);
            }
            true => self.by_length.entry(shape.len()).or_default().push(index),
        }
        self.routes.push(Route { pattern: pattern.to_owned(), endpoint });
    }

    /// The route of a path and the values of its `{…}` segments.
    pub(crate) fn find<'a>(&self, path: &'a str) -> Option<(&Route, Vec<&'a str>)> {
        if let Some(index) = self.literal.get(path) {
            return Some((&self.routes[*index], Vec::new()));
        }
        let segments: Vec<&str> = path.split('/').collect();
        let candidates = self.by_length.get(&segments.len())?.iter();
        candidates.map(|index| &self.routes[*index]).find_map(|route| {
            let mut values = Vec::new();
            for (pattern, segment) in route.pattern.split('/').zip(&segments) {
                if pattern.starts_with('{') && !segment.is_empty() {
                    values.push(*segment);
                } else if pattern != *segment {
                    return None;
                }
            }
            Some((route, values))
        })
    }
}

fn shape_of(pattern: &str) -> String {
    let segments: Vec<&str> = pattern.split('/').map(|s| if s.starts_with('{') { "{}" } else { s }).collect();
    segments.join("/")
}

fn leads_to(family: &Family, path: &str) -> bool {
    match family.url.0.split_once('?') {
        Some((base, _)) => base == path,
        None => path.starts_with(&family.url.0) && path.ends_with(&family.url.1),
    }
}

fn plain_list(path: &str) -> ListEndpoint {
    let parameters = ["ending_before", "expand", "limit", "starting_after"];
    ListEndpoint {
        path: path.to_owned(),
        style: ListStyle::V1,
        parameters: parameters
            .map(|name| Parameter { name: name.into(), required: false, values: Vec::new() })
            .into(),
    }
}
