//! How a process takes memory from the system, so that what it holds does not depend on how long it has run.
//!
//! Pages of Stripe's lists are blocks of 50 KB to several MB that live for a second. glibc keeps such blocks in its
//! heaps once it has seen a few of them be freed, one heap for each few threads, and small blocks between them keep
//! the heaps from shrinking: measured (bench/README.md, "Memory"), a third of a sync's memory was such gaps.
//!
//! A crate of its own, because it is the one place in the workspace that needs `unsafe`.

/// Blocks of at least so many bytes are the system's own, and go back to it as soon as they are freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_MAPPING_BYTES: libc::c_int = 64 << 10;

/// Heaps for all threads together.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: libc::c_int = 2;

/// Has large blocks go back to the system as soon as they are freed. To be called once, first thing in `main`. Only
/// glibc needs it; elsewhere it does nothing.
pub fn give_large_blocks_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` sets numbers of the allocator and touches no memory of ours. It may not be called while other
    // threads allocate, and is called before there are any. It answers 0 where glibc does not know a number, which
    // then stays as it was.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
    }
}
