//! Futures and outputs of every size and alignment, in cells that are used again and again.

use std::future::{Future, pending};
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use petla::{Task, spawn};

use crate::common::{Drops, within};

const MEGABYTE: usize = 1 << 20;

#[repr(align(64))]
#[derive(Clone, Copy, PartialEq, Debug)]
struct CacheLine(u8);

#[repr(align(4096))]
#[derive(Clone, Copy, PartialEq, Debug)]
struct Page(u8);

/// Is Pending once, looks at its own address each time, and gives its content.
struct Aligned<T> {
    content: T,
    polled_at: Option<usize>,
    _pinned: PhantomPinned,
}

impl<T: Copy> Future for Aligned<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // SAFETY: nothing is moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        let address = ptr::from_ref(&this.content).addr();
        assert_eq!(
            address % align_of::<T>(),
            0,
            "aligned to {}",
            align_of::<T>()
        );
        match this.polled_at.replace(address) {
            None => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(before) => {
                assert_eq!(before, address, "pinned");
                Poll::Ready(this.content)
            }
        }
    }
}

fn aligned<T: Copy + 'static>(content: T) -> Task<T> {
    spawn(Aligned {
        content,
        polled_at: None,
        _pinned: PhantomPinned,
    })
}

#[test]
fn futures_and_outputs_keep_their_alignment() {
    within(async {
        // Many at a time: a single one may lie well by chance.
        let lines: Vec<_> = (0..50).map(|n| aligned(CacheLine(n))).collect();
        let pages: Vec<_> = (0..50).map(|n| aligned(Page(n))).collect();
        let words: Vec<_> = (0..50).map(aligned::<u128>).collect();
        let bytes: Vec<_> = (0..50).map(aligned::<u8>).collect();
        for (n, line) in (0..).zip(lines) {
            assert_eq!(line.await.unwrap(), CacheLine(n));
        }
        for (n, page) in (0..).zip(pages) {
            assert_eq!(page.await.unwrap(), Page(n));
        }
        for (n, word) in (0..).zip(words) {
            assert_eq!(word.await.unwrap(), n);
        }
        for (n, byte) in (0..).zip(bytes) {
            assert_eq!(byte.await.unwrap(), n);
        }
    });
}

#[test]
fn an_over_aligned_output_of_a_small_future_fits() {
    within(async {
        assert_eq!(spawn(async { CacheLine(7) }).await.unwrap(), CacheLine(7));
        drop(spawn(async { Page(7) }));
        petla::yield_now().await;
        let kept = spawn(async { Page(8) });
        petla::yield_now().await;
        assert_eq!(kept.await.unwrap(), Page(8));
    });
}

/// A future without a byte.
struct Empty;

impl Future for Empty {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

#[test]
fn futures_and_outputs_without_a_byte_work() {
    const _: () = assert!(size_of::<Empty>() == 0);
    within(async {
        spawn(Empty).await.unwrap();
        let idle = spawn(pending::<[u64; 0]>());
        petla::yield_now().await;
        idle.cancel(());
        assert!(idle.await.is_err());
        assert_eq!(spawn(async { [0_u64; 0] }).await.unwrap(), [0_u64; 0]);
    });
}

#[test]
fn a_future_of_a_megabyte_and_an_output_of_one_arrive_whole() {
    // Passing a megabyte by value takes many megabytes of stack without optimisation.
    let roomy = std::thread::Builder::new().stack_size(64 * MEGABYTE);
    let thread = roomy.spawn(|| {
        within(async {
            let content = [7_u8; MEGABYTE];
            let future = spawn(async move {
                petla::yield_now().await;
                content.iter().map(|&byte| u64::from(byte)).sum::<u64>()
            });
            assert_eq!(future.await.unwrap(), 7 * MEGABYTE as u64);
            let output = spawn(async { [9_u8; MEGABYTE] }).await.unwrap();
            assert!(output.iter().all(|&byte| byte == 9));
        });
    });
    thread.unwrap().join().unwrap();
}

/// Waits once and gives back what it holds.
async fn carry<const N: usize>(content: [u8; N]) -> [u8; N] {
    petla::yield_now().await;
    content
}

fn carried<const N: usize>(fill: u8) -> impl Future<Output = bool> {
    let task = spawn(carry([fill; N]));
    async move { task.await.unwrap() == [fill; N] }
}

#[test]
fn cells_of_all_sizes_are_used_again_without_mixing_their_contents() {
    within(async {
        for round in 0..20 {
            let checks = [
                carried::<1>(round).await,
                carried::<7>(round).await,
                carried::<40>(round).await,
                carried::<63>(round).await,
                carried::<100>(round).await,
                carried::<257>(round).await,
                carried::<500>(round).await,
                carried::<511>(round).await,
                carried::<1000>(round).await,
                carried::<5000>(round).await,
            ];
            assert_eq!(checks, [true; 10], "round {round}");
        }
    });
}

#[test]
fn more_cells_of_one_size_than_are_kept_all_come_and_go() {
    within(async {
        let drops = Drops::default();
        for round in 1..=3 {
            let tasks: Vec<_> = (0..5000_u32)
                .map(|n| {
                    let guard = drops.guard();
                    spawn(async move {
                        petla::yield_now().await;
                        (n, guard)
                    })
                })
                .collect();
            for (n, task) in (0..).zip(tasks) {
                assert_eq!(task.await.unwrap().0, n);
            }
            assert_eq!(drops.count(), round * 5000);
        }
    });
}
