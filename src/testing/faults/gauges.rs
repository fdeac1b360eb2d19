//! What a process holds: descriptors, places of loops.

use std::fs;

use crate::mailbox;

/// What the process holds that a scene must give back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Each open descriptor and what it is.
    descriptors: Vec<String>,
    /// The place in the table that the next loop would get.
    next_loop: u16,
}

impl Held {
    pub(super) fn now() -> Held {
        Held {
            descriptors: Held::descriptors(),
            next_loop: next_loop(),
        }
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
