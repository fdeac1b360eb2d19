//! How a limiter counts: tokens that are out, tokens that are promised, and a total.
//!
//! A token is free if fewer are borrowed than there are, so that nothing but one number changes
//! when the total does. What is granted to one who waits is *promised*: borrowed, but by nobody
//! who could be listed, until it is claimed or handed back.
//!
//! # Invariants
//! - **Borrowed**: borrowed = borrowers listed + promised. Each token's key is in the list from
//!   its making to its drop; each grant that is not claimed is one of the promised.
//! - **Within**, **Fed**, **Fair**: those of the limiter. Between two batches of wakers a token may
//!   be free while somebody waits; then it is theirs, so whoever comes looks at the line as well.
//!
//! # Not here
//! The future: `acquire`. What is lent: `token`.

use std::task::Waker;

use slab::Slab;

use super::token::Borrower;
use crate::wait_list::{Batch, Line, Lines, Mode, Policy};

pub(super) const WAIT: usize = 0;
/// The tag of every grant: there is one kind.
const TOKEN: u32 = 0;

/// The policy of a limiter; all it knows is in its state.
#[derive(Debug)]
pub struct Rules;

/// What a limiter's lock guards.
#[derive(Debug)]
pub struct State {
    pub(super) total: usize,
    /// Tokens that were granted and not claimed yet.
    promised: usize,
    /// Whom tokens are lent to, with the number of the loan.
    borrowers: Slab<(u64, Borrower)>,
    /// Loans so far.
    loans: u64,
}

impl State {
    pub(super) const fn new(total: usize) -> Self {
        State {
            total,
            promised: 0,
            borrowers: Slab::new(),
            loans: 0,
        }
    }

    pub(super) fn borrowed(&self) -> usize {
        self.borrowers.len() + self.promised
    }

    pub(super) fn available(&self) -> usize {
        self.total.saturating_sub(self.borrowed())
    }

    /// Whom tokens are lent to, in no order, with the numbers of the loans.
    pub(super) fn borrowers(&self) -> Vec<(u64, Borrower)> {
        self.borrowers
            .iter()
            .map(|(_, loan)| loan.clone())
            .collect()
    }

    /// Whether one who comes now can have a token.
    pub(super) fn is_free<M: Mode>(&self, lines: &Lines<'_, M>) -> bool {
        lines.is_empty(WAIT) && self.available() > 0
    }

    /// Lends a token that is free; its key.
    pub(super) fn try_lend<M: Mode>(
        &mut self,
        lines: &Lines<'_, M>,
        borrower: &mut Borrower,
    ) -> Option<usize> {
        self.is_free(lines).then(|| self.lend(borrower))
    }

    /// Lends the token that was granted; its key.
    pub(super) fn lend_granted(&mut self, borrower: &mut Borrower) -> usize {
        self.promised -= 1;
        self.lend(borrower)
    }

    fn lend(&mut self, borrower: &mut Borrower) -> usize {
        let number = self.loans;
        self.loans += 1;
        self.borrowers.insert((number, borrower.take()))
    }

    /// Takes a token back; who had it, and who is to be woken, both to be seen to after the lock
    /// is released.
    pub(super) fn take_back<M: Mode>(
        &mut self,
        lines: &mut Lines<'_, M>,
        key: usize,
    ) -> (Borrower, Option<Waker>) {
        let (_, borrower) = self.borrowers.remove(key);
        (borrower, self.feed(lines))
    }

    /// Grants a token to the first in line, if there are both.
    fn feed<M: Mode>(&mut self, lines: &mut Lines<'_, M>) -> Option<Waker> {
        if lines.is_empty(WAIT) || self.available() == 0 {
            return None;
        }
        self.promised += 1;
        lines.grant(WAIT, TOKEN)
    }
}

impl<M: Mode> Policy<M> for Rules {
    type State = State;
    type Lines = [Line<M>; 1];

    fn left(&self, state: &mut State, _: usize, grant: Option<u32>) {
        state.promised -= usize::from(grant.is_some());
    }

    fn pump(&self, state: &mut State, lines: &mut Lines<'_, M>, batch: &mut Batch) {
        while !batch.is_full() {
            let waker = state.feed(lines);
            if waker.is_none() {
                return;
            }
            batch.push(waker);
        }
    }
}
