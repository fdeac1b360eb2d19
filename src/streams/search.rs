//! Finding the end of a message: the separator that ends first.
//!
//! Data come in pieces, and the search begins again at the first byte that may be part of a
//! separator whose rest has not come. What was searched holds no whole separator, so a later piece
//! can only add one behind it, and the result is that of a search through everything at once.

use crate::sys::memory::find;

/// Where a separator stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    /// The length of the message without it.
    pub(super) start: usize,
    /// The length with it.
    pub(super) end: usize,
}

/// The separator that ends first, looked for from `from` on; of those that end at the same place
/// the first of the list.
pub(super) fn earliest(data: &[u8], from: usize, separators: &[&[u8]]) -> Option<Match> {
    let mut best: Option<Match> = None;
    for separator in separators {
        // Only one that ends before the best so far is of interest.
        let until = best.map_or(data.len(), |best| best.end - 1);
        let Some(at) = find(&data[from..until.max(from)], separator) else {
            continue;
        };
        let start = from + at;
        let end = start + separator.len();
        best = Some(Match { start, end });
    }
    best
}

/// The first byte of `length` bytes without a separator that may still belong to one.
pub(super) fn undecided(length: usize, separators: &[&[u8]]) -> usize {
    let longest = separators.iter().map(|separator| separator.len()).max();
    (length + 1).saturating_sub(longest.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{Match, earliest, undecided};

    /// What a search through everything, place by place, gives.
    fn plainly(data: &[u8], separators: &[&[u8]]) -> Option<Match> {
        (1..=data.len()).find_map(|end| {
            let ends = |separator: &&&[u8]| data[..end].ends_with(separator);
            let separator = separators.iter().find(ends)?;
            let start = end - separator.len();
            Some(Match { start, end })
        })
    }

    #[test]
    fn in_pieces_of_any_size_the_result_is_that_of_the_whole() {
        let sets: [&[&[u8]]; 6] = [
            &[b"b"],
            &[b"ab"],
            &[b"aab"],
            &[b"bb", b"aba"],
            &[b"abab", b"ba"],
            &[b"b", b"ab"],
        ];
        for separators in sets {
            for pattern in 0..1_u32 << 9 {
                let letter = |bit: u32| b'a' + (pattern >> bit & 1) as u8;
                let data: Vec<u8> = (0..9).map(letter).collect();
                let whole = plainly(&data, separators);
                for piece in 1..=9 {
                    let mut from = 0;
                    let found = (piece..).step_by(piece).find_map(|length| {
                        let length = length.min(9);
                        let found = earliest(&data[..length], from, separators);
                        from = undecided(length, separators);
                        (found.is_some() || length == 9).then_some(found)
                    });
                    assert_eq!(found, Some(whole), "{data:?} {separators:?} {piece}");
                }
            }
        }
    }
}
