//! Looking for bytes in memory: two functions of the C library, not of the system.
//!
//! The standard library's search for one byte is not public, and it has none for several. The C
//! library's use the widest registers that the machine has, and `memmem` stays linear.

use libc::c_void;

/// Where `needle` begins in `bytes` for the first time. An empty needle is found at 0.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let (memory, length) = (bytes.as_ptr().cast::<c_void>(), bytes.len());
    let found = match needle {
        // SAFETY: Lent; the pointer and the length are those of a slice.
        [byte] => unsafe { libc::memchr(memory, (*byte).into(), length) },
        _ => {
            let (wanted, count) = (needle.as_ptr().cast::<c_void>(), needle.len());
            // SAFETY: Lent; the pointers and the lengths are those of two slices.
            unsafe { libc::memmem(memory, length, wanted, count) }
        }
    };
    (!found.is_null()).then(|| found.addr() - memory.addr())
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_first_place_is_found_whatever_the_lengths() {
        for length in 0..40 {
            for at in 0..=length {
                let mut bytes = vec![b'.'; length];
                bytes.splice(at..at, *b"ab");
                bytes.extend_from_slice(b"ab");
                assert_eq!(find(&bytes, b"a"), Some(at));
                assert_eq!(find(&bytes, b"ab"), Some(at));
                assert_eq!(find(&bytes, b"abc"), None);
                assert_eq!(find(&bytes, b"c"), None);
            }
        }
        assert_eq!(find(b"", b"a"), None);
        assert_eq!(find(b"", b"ab"), None);
        assert_eq!(find(b"", b""), Some(0));
        assert_eq!(find(b"xy", b""), Some(0));
    }
}
