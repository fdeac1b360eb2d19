//! What a process holds: descriptors, places of loops.

use std::fs;

use crate::mailbox;
use crate::sys::faults::has_children;

/// What the process holds that a scene must give back.
pub(super) struct Held {
    /// Each open descriptor and what it is.
    descriptors: Vec<String>,
    /// The place in the table that the next loop would get.
    next_loop: u16,
    has_children: bool,
}

impl Held {
    pub(super) fn now() -> Held {
        Held {
            descriptors: Held::descriptors(),
            next_loop: next_loop(),
            has_children: has_children(),
        }
    }

    /// What is held now and was not, or the other way round.
    pub(super) fn differs_from(&self, now: &Held) -> Option<String> {
        let lacks = |list: &[String], other: &[String]| {
            let lacking = other.iter().filter(|entry| !list.contains(entry));
            lacking.cloned().collect::<Vec<_>>()
        };
        let more = lacks(&self.descriptors, &now.descriptors);
        let fewer = lacks(&now.descriptors, &self.descriptors);
        let loops = (self.next_loop, now.next_loop);
        let children = (self.has_children, now.has_children);
        let counts_are = loops.0 == loops.1 && children.0 == children.1;
        let same = more.is_empty() && fewer.is_empty() && counts_are;
        let text = || {
            format!(
                "left open: {more:?}, closed: {fewer:?}, next loop: {loops:?}, \
                 children: {children:?}"
            )
        };
        (!same).then(text)
    }

    /// Each open descriptor and what it is.
    pub(super) fn descriptors() -> Vec<String> {
        let folder = fs::read_dir("/proc/self/fd").expect("the process has a list of descriptors");
        let mut descriptors: Vec<String> = folder
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                // The folder itself is open meanwhile, and is gone when its link is read.
                let what = fs::read_link(&path).ok()?;
                let number = path.file_name()?.to_string_lossy().into_owned();
                Some(format!("{number} {}", what.display()))
            })
            .filter(|descriptor| !descriptor.contains("/proc/"))
            .collect();
        descriptors.sort();
        descriptors
    }
}

fn next_loop() -> u16 {
    let (_, id) = mailbox::claim().expect("a loop can be made");
    mailbox::release(id);
    id.index()
}
