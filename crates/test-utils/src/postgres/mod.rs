//! Throw-away PostgreSQL servers.
//!
//! [`Cluster::start`] makes one; most tests only need [`shared_database`]: a fresh database in a
//! server that the test process starts once.

mod binaries;
mod cluster;
mod faults;
mod pooler;

pub use cluster::{Cluster, Settings};
pub use faults::{Break, FaultyProxy};
pub use pooler::Pooler;

use std::sync::OnceLock;

/// The server that all tests of this process share. It ends with the process.
pub fn shared_cluster() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

/// The connection string of a new, empty database in the shared server.
pub async fn shared_database() -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    shared_cluster().database(&format!("test_{number}")).await
}
