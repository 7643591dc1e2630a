//! What `discover` says.

use std::collections::BTreeSet;

use protocol::CatalogMessage;

use crate::Breach;

/// There are streams; each has a name of its own, a primary key and a `newer_than_field`, which its schema describes.
pub fn catalog_is_sound(catalog: &CatalogMessage) -> Result<(), Breach> {
    Breach::unless(!catalog.streams.is_empty(), "a catalog with streams", || "it is empty".to_owned())?;
    let mut names = BTreeSet::new();
    for stream in &catalog.streams {
        let name = &stream.name;
        Breach::unless(!name.is_empty(), "a name of each stream", || "one has none".to_owned())?;
        Breach::unless(names.insert(name), "a name of its own for each stream", || {
            format!("two are called `{name}`")
        })?;
        let has_key =
            !stream.primary_key.is_empty() && stream.primary_key.iter().all(|path| !path.is_empty());
        Breach::unless(has_key, "a primary key of each stream", || {
            format!("`primary_key` of `{name}` is {:?}", stream.primary_key)
        })?;
        Breach::unless(!stream.newer_than_field.is_empty(), "a `newer_than_field` of each stream", || {
            format!("that of `{name}` is empty")
        })?;
        let properties = stream.json_schema.as_ref().and_then(|schema| schema.get("properties"));
        for field in stream.key_fields().into_iter().chain([stream.newer_than_field.as_str()]) {
            let described = properties.is_none_or(|properties| properties.get(field).is_some());
            Breach::unless(
                described,
                "key and `newer_than_field` among the properties of `json_schema`",
                || format!("`{field}` of `{name}` is not there"),
            )?;
        }
    }
    Ok(())
}
