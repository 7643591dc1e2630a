//! Compiles Stripe's OpenAPI documents into the facts that the library embeds, and shows what they say.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value};
use stripe_openapi::{ApiVersion, Catalog, embedded, history, parse};

const USAGE: &str = "\
stripe-catalog compile <dir>... [--out <dir>]   compile the documents (*.json) in the folders into facts
stripe-catalog show <version>                   show what the embedded catalog of a version says
stripe-catalog samples <file> --out <file>      cut Stripe's sample objects down to what the tests need";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["compile", ref folders @ .., "--out", out] if !folders.is_empty() => {
            compile(folders, Path::new(out))
        }
        ["compile", ref folders @ ..] if !folders.is_empty() => {
            compile(folders, &Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog"))
        }
        ["show", version] => show(version),
        ["samples", file, "--out", out] => samples(Path::new(file), Path::new(out)),
        _ => bail!("usage:\n{USAGE}"),
    }
}

/// A document and the event types it names.
struct Source {
    document: Value,
    event_types: Vec<String>,
}

fn compile(folders: &[&str], out: &Path) -> anyhow::Result<()> {
    let mut sources: BTreeMap<String, Source> = BTreeMap::new();
    for path in documents(folders)? {
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let document: Value = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        let Some(version) = document.pointer("/info/version").and_then(Value::as_str) else { continue };
        let version: ApiVersion = version.parse()?;
        let event_types = parse::event_types(&document)?;
        sources.insert(version.to_string(), Source { document, event_types });
    }
    ensure!(!sources.is_empty(), "no OpenAPI document in {}", folders.join(", "));

    // A document that names no event types has those of the next one that does.
    let mut catalogs: Vec<Catalog> = Vec::with_capacity(sources.len());
    let mut usual_events: &[String] = &[];
    for source in sources.values().rev() {
        if !source.event_types.is_empty() {
            usual_events = &source.event_types;
        }
        catalogs.push(parse::catalog_with_events(&source.document, usual_events)?);
    }
    catalogs.reverse();

    let files = history::write(&catalogs);
    verify(&catalogs, &files)?;
    replace(out, &catalogs, &files)?;
    let bytes: usize = files.values().map(String::len).sum();
    writeln!(
        io::stdout(),
        "{} versions, {} files, {bytes} bytes in {}",
        catalogs.len(),
        files.len(),
        out.display()
    )?;
    Ok(())
}

fn documents(folders: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read the folder {folder}"))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads the facts back: each version must equal what was parsed from its document.
fn verify(catalogs: &[Catalog], files: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let versions = catalogs.iter().map(|catalog| catalog.api_version.clone()).collect();
    let texts = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let read = history::History::read(versions, texts)?;
    for catalog in catalogs {
        let again = read.catalog(&catalog.api_version)?;
        ensure!(
            again.as_ref() == Some(catalog),
            "the facts of {} do not read back as they were",
            catalog.api_version
        );
    }
    Ok(())
}

fn replace(out: &Path, catalogs: &[Catalog], files: &BTreeMap<String, String>) -> anyhow::Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    for entry in fs::read_dir(out)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "facts") {
            fs::remove_file(path)?;
        }
    }
    for (name, text) in files {
        fs::write(out.join(name), text)?;
    }
    let versions: String = catalogs.iter().map(|catalog| format!("{}\n", catalog.api_version)).collect();
    fs::write(out.join(embedded::VERSIONS_FILE), versions)?;
    Ok(())
}

fn show(version: &str) -> anyhow::Result<()> {
    let Some(catalog) = embedded::catalog(version) else {
        bail!("{version} is not embedded; these are: {}", embedded::versions().join(", "));
    };
    let mut out = io::stdout().lock();
    for (name, text) in history::write(std::slice::from_ref(&*catalog)) {
        writeln!(out, "# {name}\n{text}")?;
    }
    Ok(())
}

/// Keeps the top level of each sample object whose resource has a table: one resource a line, to be reviewed.
/// Nested objects and arrays are emptied, apart from what makes a list a list.
fn samples(file: &Path, out: &Path) -> anyhow::Result<()> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let all: Value = serde_json::from_slice(&text)?;
    let samples = all.get("resources").and_then(Value::as_object).context("no `resources` in the file")?;
    let catalog = embedded::catalog(embedded::newest_version()).context("no catalog is embedded")?;
    let mut lines = Vec::new();
    for resource in &catalog.resources {
        let Some(sample) = samples.get(&resource.resource_id).and_then(Value::as_object) else { continue };
        let top: Map<String, Value> =
            sample.iter().map(|(name, value)| (name.clone(), without_content(value))).collect();
        lines.push(format!("{}: {}", Value::from(resource.resource_id.as_str()), Value::from(top)));
    }
    lines.sort();
    fs::write(out, format!("{{\n{}\n}}\n", lines.join(",\n")))?;
    Ok(())
}

fn without_content(value: &Value) -> Value {
    match value {
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Object(object) if object.get("object").is_some_and(|object| object == "list") => {
            let mut list = object.clone();
            list["data"] = Value::Array(Vec::new());
            list.into()
        }
        Value::Object(_) => Value::Object(Map::new()),
        scalar => scalar.clone(),
    }
}
