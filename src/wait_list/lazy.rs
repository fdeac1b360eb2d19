//! A list that is made when it is first used: what makes the constructor of its primitive `const`.
//!
//! The grants of a `local` list lapse, so it must be anchored, which is to allocate; and a
//! constructor that allocates cannot make a `static`, a `thread_local!` with a `const` initial
//! value, or a constant. So what the list is made of is kept until somebody needs the list: an
//! operation on the primitive, or a future of it, even one that is never polled.
//!
//! A `Shared` list lies in its primitive and is there from the start: there the lazy list is the
//! list.
//!
//! # Invariants
//! - **Made**: `parts` are there until the list is, and never after. To make a list calls no user
//!   code, so nobody comes between.
//!
//! # Cost
//! `Local`: a pointer and the parts, and a branch for each use. `Shared`: nothing.
//!
//! # Not here
//! A word that is used without the list while nobody waits: `front`.

use std::cell::{Cell, OnceCell};
use std::fmt::{self, Debug, Formatter};
use std::ops::Deref;
use std::rc::Rc;

use super::mode::{Local, Mode};
use super::{Policy, WaitList};

/// An anchored list, or what it will be made of.
pub struct LocalLazy<P: Policy<Local>> {
    list: OnceCell<Rc<WaitList<P, Local>>>,
    parts: Cell<Option<(P, P::State)>>,
}

impl<P: Policy<Local>> LocalLazy<P> {
    pub(crate) const fn new(policy: P, state: P::State) -> Self {
        LocalLazy {
            list: OnceCell::new(),
            parts: Cell::new(Some((policy, state))),
        }
    }

    #[cold]
    fn make(&self) -> Rc<WaitList<P, Local>> {
        let parts = self.parts.take();
        let (policy, state) = parts.expect("a list is made once");
        Local::anchor(policy, state)
    }
}

impl<P: Policy<Local>> Deref for LocalLazy<P> {
    type Target = WaitList<P, Local>;

    #[inline(always)]
    fn deref(&self) -> &WaitList<P, Local> {
        self.list.get_or_init(|| self.make())
    }
}

impl<P: Policy<Local>> Debug for LocalLazy<P> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalLazy").field(&self.list.get()).finish()
    }
}
