//! Packs the facts of `catalog/` into one compressed file that the library embeds.

use std::io::Write;
use std::path::Path;
use std::{env, fs};

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=catalog");
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = Vec::new();
    // Without facts the crate still builds, so that its own tool can make them.
    if Path::new("catalog").is_dir() {
        for entry in fs::read_dir("catalog")? {
            files.push(entry?.path());
        }
    }
    files.sort();
    let target = Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join("catalog.gz");
    let mut packed = flate2::write::GzEncoder::new(fs::File::create(target)?, flate2::Compression::best());
    for path in files {
        let text = fs::read_to_string(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // `=` begins no fact: it marks where a file begins.
        writeln!(packed, "={name}")?;
        packed.write_all(text.as_bytes())?;
    }
    packed.finish()?.sync_all()
}
