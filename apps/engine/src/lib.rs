//! The sync engine: library and command line.
