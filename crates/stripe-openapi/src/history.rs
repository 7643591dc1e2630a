//! Facts: the text form of catalogs, made to be reviewed.
//!
//! There is one file for each resource, and each of its lines is a fact with the versions in which it holds:
//!
//! ```text
//! resource charge charge
//! list v1 /v1/charges
//! query /v1/charges created
//! column amount bigint
//! column order text null expandable @ 2017-08-15..2022-08-01
//! event charge.expired @ 2018-09-24..
//! ```
//!
//! `@` is followed by spans of versions, each inclusive, `..` alone at the end meaning "and ever since". A line
//! without `@` holds in every version that has the resource. So the diff after a new version was added shows
//! what Stripe changed, and nothing else.

mod line;
mod span;

use std::collections::{BTreeMap, BTreeSet};

use crate::{Catalog, Error, Resource};
use line::Builder;

/// The facts of one resource through all versions.
struct ResourceFacts {
    file: String,
    /// Each fact with its line number and the versions it holds in, as indexes; none: all of the resource's.
    lines: Vec<(usize, String, Option<BTreeSet<usize>>)>,
    versions: BTreeSet<usize>,
}

/// Catalogs of many versions, read from their facts.
pub struct History {
    versions: Vec<String>,
    resources: Vec<ResourceFacts>,
}

impl History {
    /// Reads facts: `versions` from oldest to newest, and the name and text of each resource's file.
    pub fn read<'a>(
        versions: Vec<String>,
        files: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Error> {
        let resources =
            files.map(|(file, text)| read_resource(&versions, file, text)).collect::<Result<_, _>>()?;
        Ok(Self { versions, resources })
    }

    /// The versions, oldest first.
    pub fn versions(&self) -> &[String] {
        &self.versions
    }

    /// The catalog of a version; `Ok(None)` if the version is not among the facts.
    pub fn catalog(&self, version: &str) -> Result<Option<Catalog>, Error> {
        let Some(index) = self.versions.iter().position(|known| known == version) else { return Ok(None) };
        let mut resources = Vec::new();
        for facts in self.resources.iter().filter(|facts| facts.versions.contains(&index)) {
            resources.push(facts.at(index)?);
        }
        sort(&mut resources);
        Ok(Some(Catalog { api_version: version.to_owned(), resources }))
    }
}

impl ResourceFacts {
    fn at(&self, index: usize) -> Result<Resource, Error> {
        let mut builder = Builder::default();
        for (number, fact, versions) in &self.lines {
            if versions.as_ref().is_none_or(|versions| versions.contains(&index)) {
                builder.add(fact).map_err(|reason| self.malformed(*number, reason))?;
            }
        }
        builder.finish().map_err(|reason| self.malformed(1, reason))
    }

    fn malformed(&self, line: usize, reason: String) -> Error {
        Error::MalformedFacts { file: self.file.clone(), line, reason }
    }
}

fn read_resource(versions: &[String], file: &str, text: &str) -> Result<ResourceFacts, Error> {
    let mut facts = ResourceFacts { file: file.to_owned(), lines: Vec::new(), versions: BTreeSet::new() };
    for (number, line) in (1..).zip(text.lines()) {
        let (fact, spans) = match line.split_once(" @ ") {
            Some((fact, spans)) => (fact, Some(spans)),
            None => (line, None),
        };
        let holds = spans.map(|spans| span::read(versions, spans)).transpose();
        let holds = holds.map_err(|reason| facts.malformed(number, reason))?;
        if number == 1 {
            facts.versions = holds.clone().unwrap_or_else(|| (0..versions.len()).collect());
        }
        facts.lines.push((number, fact.to_owned(), holds));
    }
    if facts.lines.is_empty() {
        return Err(facts.malformed(1, "the file is empty".to_owned()));
    }
    Ok(facts)
}

/// Writes catalogs, oldest first, as facts: the text of each resource's file by file name.
pub fn write(catalogs: &[Catalog]) -> BTreeMap<String, String> {
    let versions: Vec<&str> = catalogs.iter().map(|catalog| catalog.api_version.as_str()).collect();
    // By table: each fact with the versions it holds in. Facts sort in the order of a file.
    let mut tables: BTreeMap<&str, BTreeMap<(line::Section, String), BTreeSet<usize>>> = BTreeMap::new();
    for (index, catalog) in catalogs.iter().enumerate() {
        for resource in &catalog.resources {
            let facts = tables.entry(&resource.table).or_default();
            for fact in line::facts(resource) {
                facts.entry(fact).or_default().insert(index);
            }
        }
    }
    let file = |(table, facts): (&str, BTreeMap<(line::Section, String), BTreeSet<usize>>)| {
        let all = (0..versions.len()).collect();
        let alive: BTreeSet<usize> = facts.values().flatten().copied().collect();
        let mut text = String::new();
        for ((section, fact), holds) in facts {
            text.push_str(&fact);
            let usual = if section == line::Section::Resource { &all } else { &alive };
            if holds != *usual {
                text.push_str(" @ ");
                text.push_str(&span::write(&versions, &holds));
            }
            text.push('\n');
        }
        (format!("{table}.facts"), text)
    };
    tables.into_iter().map(file).collect()
}

/// Puts resources into the order of a catalog.
pub(crate) fn sort(resources: &mut [Resource]) {
    resources.sort_by_cached_key(|resource| {
        let path = resource.list.as_ref().map(|list| list.path.clone());
        (path.is_none(), path, resource.table.clone())
    });
}
