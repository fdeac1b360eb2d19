//! How much memory the process holds, to see that failures leave none behind; and a signal.

/// The bytes that `malloc` has given out, all arenas together; 0 where the C library does not say.
#[cfg(target_env = "gnu")]
pub(crate) fn memory_in_use() -> usize {
    // SAFETY: takes nothing and returns numbers.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

/// The bytes that `malloc` has given out, all arenas together; 0 where the C library does not say.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn memory_in_use() -> usize {
    0
}

/// Has this process a child, ended or not?
pub(crate) fn has_children() -> bool {
    // SAFETY: numbers and pointers only: all zero is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the structure lives until the call returns.
    let found = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, how) };
    found == 0
}

/// Has this thread interrupted, as Ctrl-C would.
pub(crate) fn raise_sigint() {
    // SAFETY: takes a number.
    let raised = unsafe { libc::raise(libc::SIGINT) };
    assert_eq!(raised, 0, "the number is one of a signal");
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_env = "gnu")]
    fn a_large_block_shows() {
        let before = super::memory_in_use();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(super::memory_in_use() > before + block.len() / 2);
    }
}
