//! Which pages to ask for, so that few requests bring everything and the rate limit is used.

mod estimate;
mod leap;
mod open_range;
mod planner;
mod schedule;

#[cfg(test)]
mod planner_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_tests;

pub(crate) use leap::Landmark;
pub(crate) use planner::{PageFacts, Part, Planner, Request};
pub(crate) use schedule::{Lane, Pick, pick};
