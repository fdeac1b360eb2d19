//! What must become of a failed call: the complete list of what is absorbed.
//!
//! Whatever no rule names must come out: with the same errno, of the operation that made the call.

use std::ptr;

use super::step::{Failure, Outcome};
use crate::sys::faults::Errno;
use crate::sys::faults::errnos::*;

/// What must become of a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// The scene succeeds.
    Absorbed,
    /// The scene ends with this error, out of the operation that made the call. What that did to
    /// others may have been reported.
    ComesOut,
    /// The same, out of another operation.
    ComesOutOf(&'static str),
    /// The scene succeeds, and the loop's handler was told.
    Reported,
    /// It is not tried: it would be a lie that this scene cannot see through.
    Untried,
}

/// What becomes of some errnos of one call; if none is named, of all but `EINTR`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    call: &'static str,
    errnos: &'static [Errno],
    step: Option<&'static str>,
    nth: Option<usize>,
    pub(super) fate: Fate,
}

pub(super) const fn rule(call: &'static str, errnos: &'static [Errno], fate: Fate) -> Rule {
    Rule {
        call,
        errnos,
        step: None,
        nth: None,
        fate,
    }
}

impl Rule {
    /// Holds for calls of this step only.
    pub(super) const fn of(mut self, step: &'static str) -> Rule {
        self.step = Some(step);
        self
    }

    /// Holds for this one of all calls of that name only.
    pub(super) const fn nth(mut self, nth: usize) -> Rule {
        self.nth = Some(nth);
        self
    }

    fn fits(&self, call: &str, step: &str, nth: usize, errno: Errno) -> bool {
        self.call == call
            && (self.errnos.contains(&errno) || self.errnos.is_empty() && errno != EINTR)
            && self.step.is_none_or(|own| own == step)
            && self.nth.is_none_or(|own| own == nth)
    }
}

/// What holds in every scene.
static COMMON: &[Rule] = &[
    // Called again, or in the case of a sleep not slept.
    rule("accept4", &[EINTR], Fate::Absorbed),
    rule("epoll_pwait2", &[EINTR], Fate::Absorbed),
    rule("epoll_wait", &[EINTR], Fate::Absorbed),
    rule("poll", &[EINTR], Fate::Absorbed),
    rule("read", &[EINTR], Fate::Absorbed),
    rule("readv", &[EINTR], Fate::Absorbed),
    rule("recv", &[EINTR], Fate::Absorbed),
    rule("recvfrom", &[EINTR], Fate::Absorbed),
    rule("recvmsg", &[EINTR], Fate::Absorbed),
    rule("send", &[EINTR], Fate::Absorbed),
    rule("sendfile", &[EINTR], Fate::Absorbed),
    rule("sendmsg", &[EINTR], Fate::Absorbed),
    rule("sendto", &[EINTR], Fate::Absorbed),
    rule("write", &[EINTR], Fate::Absorbed),
    rule("writev", &[EINTR], Fate::Absorbed),
    // A connection that is gone: the next one is taken. No room: tried again after a pause.
    rule(
        "accept4",
        &[
            ECONNABORTED,
            EPROTO,
            ENOPROTOOPT,
            ENETDOWN,
            ENETUNREACH,
            ENONET,
            EHOSTDOWN,
            EHOSTUNREACH,
            EMFILE,
            ENFILE,
            ENOBUFS,
            ENOMEM,
        ],
        Fate::Absorbed,
    ),
    // Refused by a filter or an old kernel: milliseconds from now on.
    rule("epoll_pwait2", &[], Fate::Absorbed),
    // Sleeps are a little less exact, or the thread's stay exact.
    rule("prctl", &[], Fate::Absorbed),
    // A registration that is left behind has a stale key, and is replaced when it is in the way.
    rule("epoll_ctl_del", &[], Fate::Absorbed),
];

/// The rule for this failure, if there is one; those of the scene come first.
pub(super) fn find(
    own: &'static [Rule],
    call: &str,
    step: &str,
    nth: usize,
    errno: Errno,
) -> Option<&'static Rule> {
    let mut rules = own.iter().chain(COMMON);
    rules.find(|rule| rule.fits(call, step, nth, errno))
}

/// The rules among these and the common ones that were never applied: they say what is not so.
pub(super) fn unused(own: &[&'static [Rule]], used: &[&'static Rule]) -> Vec<&'static Rule> {
    let all = own.iter().copied().flatten().chain(COMMON);
    let is_unused = |rule: &&Rule| !used.iter().any(|used| ptr::eq(*used, *rule));
    all.filter(is_unused).collect()
}

/// What is wrong with how a scene ended, if anything.
pub(super) fn judge(
    fate: Fate,
    step: &str,
    errno: Errno,
    outcome: &Outcome,
    reports: &[String],
) -> Result<(), String> {
    // An error that says more has the system's text in its own.
    let says_it = |text: &str| text.contains(&format!("(os error {})", errno.code));
    let is_it =
        |failure: &Failure, step| failure.step == step && says_it(&failure.error.to_string());
    let fits = match (fate, outcome) {
        (Fate::Untried, _) => unreachable!("it is not tried"),
        (Fate::Absorbed, outcome) => outcome.is_ok() && reports.is_empty(),
        (Fate::Reported, outcome) => outcome.is_ok() && reports.iter().any(|text| says_it(text)),
        (Fate::ComesOut, Err(failure)) => is_it(failure, step),
        (Fate::ComesOutOf(other), Err(failure)) => is_it(failure, other),
        (Fate::ComesOut | Fate::ComesOutOf(_), Ok(())) => false,
    };
    let found = || format!("{fate:?} was expected, and it ended {outcome:?}, reports {reports:?}");
    fits.then_some(()).ok_or_else(found)
}
