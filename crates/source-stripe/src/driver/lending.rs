//! One list for two streams: the pages of a stream are asked to show a nested list too, whose items are the rows of another
//! stream, which would read the same list again for them.
//!
//! The borrower's state holds what the lender has still to read, by the labels of the borrower's own lists. So a read that
//! was interrupted needs no lender to go on, and a lender that fails hands over what is left: the borrower then reads it itself.

use std::sync::Arc;

use protocol::Message;

use super::{Driver, Over};
use crate::children::ChildRows;
use crate::failure::RequestError;
use crate::lane::StreamRun;
use crate::passes::Pass;
use crate::plan::{Part, Planner};
use crate::stream_state::Remaining;

/// A nested list that requests for a stream's pages show in addition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lent {
    pub(crate) property: Arc<str>,
    /// Whether objects have the list only if the request expands it: it is then no part of their rows.
    pub(crate) on_request: bool,
    /// Whether the rows tell their parent by `_parent_id`.
    pub(crate) names_parent: bool,
}

/// Who lends to whom.
#[derive(Debug)]
pub(super) struct Loan {
    from: usize,
    to: usize,
    lent: Lent,
    /// Which of the borrower's lists is the first of the lender's.
    first: usize,
}

impl Loan {
    /// What the lender has still to read, in the borrower's words.
    fn remaining(&self, lender: &Planner, borrower: &[Pass]) -> Vec<Remaining> {
        let label = |part: &Part| borrower[self.first + part.pass].label.clone();
        lender.parts().map(|part| Part { label: label(part), ..part.clone() }.remaining()).collect()
    }

    /// What the lender has still to read, for the borrower to read itself.
    fn parts(&self, lender: &Planner, borrower: &StreamRun) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for part in lender.parts() {
            let pass = self.first + part.pass;
            let list = &borrower.passes[pass];
            let (label, windowed) = (list.label.clone(), list.windowed());
            if list.bounded {
                parts.push(Part { pass, label, windowed, ..part.clone() });
            } else if !parts.iter().any(|other| other.pass == pass) {
                // The list cannot be narrowed to what is left of it.
                let window = borrower.wanted();
                parts.push(Part { pass, label, window, cursor: None, windowed, stop_below: None });
            }
        }
        parts
    }
}

/// Where the lists of `lender` are among those of `borrower`: at the end of them.
pub(crate) fn first_shared(lender: &[Pass], borrower: &[Pass]) -> Option<usize> {
    let first = borrower.len().checked_sub(lender.len())?;
    let same = |(own, other): (&Pass, &Pass)| own.path == other.path && own.feed.is_none();
    lender.iter().zip(&borrower[first..]).all(same).then_some(first)
}

impl Driver {
    /// Lets the stream of lane `from` bring the rows of lane `to` from its list number `first` on, whose parts are not
    /// in the plan of `to`.
    pub(crate) fn lend(&mut self, from: usize, to: usize, lent: Lent, first: usize) {
        self.loans.push(Loan { from, to, lent, first });
    }

    /// What a request of the lane is to show in addition.
    pub(super) fn lent_by(&self, lane: usize) -> Vec<(usize, Lent)> {
        let wanted = |loan: &&Loan| loan.from == lane && self.lanes[loan.to].open;
        self.loans.iter().filter(wanted).map(|loan| (loan.to, loan.lent.clone())).collect()
    }

    /// What is left to read of the lane's stream, by itself and by those who lend to it.
    pub(super) fn left_of(&self, lane: usize) -> Vec<Remaining> {
        let mut left = self.lanes[lane].planner.remaining();
        for loan in self.loans.iter().filter(|loan| loan.to == lane) {
            left.extend(loan.remaining(&self.lanes[loan.from].planner, &self.streams[lane].passes));
        }
        left
    }

    /// Whether nothing of the lane's stream is left to ask for.
    pub(super) fn is_done(&self, lane: usize) -> bool {
        let lenders = self.loans.iter().filter(|loan| loan.to == lane);
        let mut all = lenders.map(|loan| loan.from).chain([lane]);
        all.all(|lane| self.lanes[lane].planner.is_done())
    }

    /// Hands on the rows that a page of `lane` brought for others, up to its object number `keep`, which is not counted.
    pub(super) fn take_lent(
        &mut self,
        lane: usize,
        lent: Vec<(usize, Result<ChildRows, RequestError>)>,
        keep: usize,
        version: i64,
    ) -> Result<(), Over> {
        for (to, rows) in lent {
            let is_lent = self.loans.iter().any(|loan| loan.from == lane && loan.to == to);
            if !is_lent || !self.lanes[to].open {
                continue;
            }
            let start = self.streams[to].start();
            self.say_all(start)?;
            let rows = match rows {
                Ok(rows) => rows,
                Err(error) => {
                    self.end_badly(to, &error)?;
                    continue;
                }
            };
            let name = Arc::clone(&self.streams[to].name);
            let bytes = rows.page.bytes();
            self.tell_rows(to, &name, rows, keep, version)?;
            let after = self.after_page(to, bytes, None)?;
            self.say_all(after)?;
        }
        Ok(())
    }

    /// Something was left out by `lane`: those it lends to may be complete by that.
    pub(super) fn settle_loans(&mut self, lane: usize) -> Result<(), Over> {
        let to: Vec<usize> = self.lent_by(lane).into_iter().map(|(to, _)| to).collect();
        for to in to {
            let after: Vec<Message> = self.after_page(to, 0, None)?;
            self.say_all(after)?;
        }
        Ok(())
    }

    /// Ends what `lane` lends: the others read themselves what is left.
    pub(super) fn call_in(&mut self, lane: usize) {
        let (ended, kept) = std::mem::take(&mut self.loans).into_iter().partition(|loan| loan.from == lane);
        self.loans = kept;
        let ended: Vec<Loan> = ended;
        for loan in ended {
            let parts = loan.parts(&self.lanes[lane].planner, &self.streams[loan.to]);
            self.lanes[loan.to].planner.adopt(parts);
        }
    }
}
