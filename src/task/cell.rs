//! The cell of a task: header, then the future and later its output in the same place.
//!
//! This is the hard file of the module: everything here works through a pointer to the
//! header, whose vtable knows the future's type.
//!
//! # Invariants
//! - **Typed**: a header made by `allocate::<F>` is the first field of a `Cell<F>` and carries
//!   the vtable of `F`; a `Task<T>` belongs to a cell with `F::Output = T`.
//! - **Stage**: the flags say what the union holds: FUTURE, OUTPUT, or nothing. FUTURE is
//!   cleared before the future is dropped, so a panicking destructor never runs twice.
//! - **Pinned**: the future does not move from `allocate` until it is dropped in place.
//! - **Owners**: the cell is freed once, by whoever finds that the other has let go: the loop in
//!   `finish` when HANDLE is clear, the handle in its drop when DONE is set. Both have taken the
//!   joiner out before.
//! - **Alone**: the loop polls or drops the future only when no poll of it is on the stack.

use std::alloc::Layout;
use std::any::Any;
use std::cell::UnsafeCell;
use std::future::Future;
use std::mem::{ManuallyDrop, MaybeUninit, offset_of};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

use super::header::{Birth, Flags, Header};
use super::{pool, report, token, trace};
use crate::error::{JoinError, Panic};

#[repr(C)]
struct Cell<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

/// One place for two things, and for neither. Only its layout is used.
#[repr(C)]
union Stage<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<F::Output>,
}

/// What depends on the future's type. Each function takes the header of a matching cell.
pub(crate) struct VTable {
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    drop_future: unsafe fn(NonNull<Header>),
    drop_output: unsafe fn(NonNull<Header>),
    free: unsafe fn(NonNull<Header>),
    stage_offset: usize,
}

struct Typed<F>(F);

impl<F: Future> Typed<F> {
    const CLASS: Option<usize> = pool::class_of(Layout::new::<Cell<F>>());

    const VTABLE: VTable = VTable {
        poll: poll::<F>,
        drop_future: drop_future::<F>,
        drop_output: drop_output::<F>,
        free: free::<F>,
        stage_offset: offset_of!(Cell<F>, stage),
    };
}

/// Makes a cell around `future`.
#[inline(always)]
pub(crate) fn allocate<F: Future>(future: F, birth: Birth) -> NonNull<Header> {
    let cell: NonNull<Cell<F>> = match Typed::<F>::CLASS {
        Some(class) => pool::take(class).cast(),
        None => NonNull::from(Box::leak(Box::<Cell<F>>::new_uninit())).cast(),
    };
    // Apart from the future: a cell put together on the stack is copied in larger pieces than it
    // was written in, which stalls the processor for some nanoseconds.
    let header = Header::new(const { &Typed::<F>::VTABLE }, birth);
    // SAFETY: the memory is ours, and a header is the first thing in a cell.
    unsafe { cell.cast().write(header) };
    // SAFETY: the memory is ours, and large enough for the stage.
    unsafe { future_of::<F>(cell.cast()).write(future) };
    cell.cast()
}

/// Where the future of a cell of `F` lies, while the stage holds it.
#[inline(always)]
fn future_of<F: Future>(task: NonNull<Header>) -> *mut F {
    // SAFETY: Typed: the offset lies inside the allocation.
    unsafe { task.byte_add(offset_of!(Cell<F>, stage)) }
        .cast()
        .as_ptr()
}

/// Where the output lies later: every field of the union begins where the union does.
#[inline(always)]
fn output_of<F: Future>(task: NonNull<Header>) -> *mut F::Output {
    future_of::<F>(task).cast()
}

/// The same place in a cell of unknown type.
#[inline]
fn stage(task: NonNull<Header>) -> NonNull<()> {
    // SAFETY: Owners: whoever holds a pointer to the header keeps the cell alive.
    let offset = unsafe { task.as_ref() }.vtable().stage_offset;
    // SAFETY: Typed: the offset lies inside the same allocation.
    unsafe { task.byte_add(offset) }.cast()
}

/// # Safety
/// Typed; Alone; Stage holds the future.
unsafe fn poll<F: Future>(task: NonNull<Header>, cx: &mut Context<'_>) -> bool {
    // SAFETY: the caller's: the stage holds the future.
    let future = unsafe { &mut *future_of::<F>(task) };
    // SAFETY: Pinned.
    let Poll::Ready(output) = unsafe { Pin::new_unchecked(future) }.poll(cx) else {
        return false;
    };
    let output = Rescued(ManuallyDrop::new(output));
    // SAFETY: the caller's, and the future is still there.
    unsafe { drop_future::<F>(task) };
    // SAFETY: the stage is empty now and belongs to the loop until DONE.
    unsafe { output_of::<F>(task).write(output.into_inner()) };
    // SAFETY: the loop keeps the cell alive.
    unsafe { task.as_ref() }.set(Flags::OUTPUT);
    true
}

/// An output whose future is being dropped. If that panics, a second panic, of the output's
/// own destructor, is caught and reported: it would abort the process.
struct Rescued<T>(ManuallyDrop<T>);

impl<T> Rescued<T> {
    #[inline(always)]
    fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: taken once: `this` is not dropped.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl<T> Drop for Rescued<T> {
    fn drop(&mut self) {
        // SAFETY: taken once, when the drop of the future unwinds.
        token::drop_safely(unsafe { ManuallyDrop::take(&mut self.0) });
    }
}

/// # Safety
/// Typed; Alone; Stage holds the future.
unsafe fn drop_future<F: Future>(task: NonNull<Header>) {
    // SAFETY: the caller keeps the cell alive.
    unsafe { task.as_ref() }.clear(Flags::FUTURE);
    // SAFETY: Stage: the future is there, and dropped once: FUTURE is clear from here on.
    unsafe { ptr::drop_in_place(future_of::<F>(task)) };
}

/// # Safety
/// Typed; Stage holds the output; the caller owns it.
unsafe fn drop_output<F: Future>(task: NonNull<Header>) {
    // SAFETY: the caller keeps the cell alive.
    unsafe { task.as_ref() }.clear(Flags::OUTPUT);
    // SAFETY: Stage: the output is there, and dropped once: OUTPUT is clear from here on.
    unsafe { ptr::drop_in_place(output_of::<F>(task)) };
}

/// # Safety
/// Typed; Owners: the caller is the last one; Stage is empty.
unsafe fn free<F: Future>(task: NonNull<Header>) {
    // SAFETY: the caller's. What else the header holds was taken out when the owners let go.
    let extra = unsafe { task.as_ref() }.take_extra();
    match Typed::<F>::CLASS {
        // SAFETY: the block that `allocate` took.
        Some(class) => unsafe { pool::give(task.cast(), class, token::is_entered()) },
        // SAFETY: the box that `allocate` leaked; what was in it is gone.
        None => drop(unsafe { Box::from_raw(task.cast::<MaybeUninit<Cell<F>>>().as_ptr()) }),
    }
    if extra.is_some() {
        drop(extra);
    }
}

/// Polls the task's future; true when it is done. An unwinding poll leaves the future in place.
///
/// # Safety
/// Alone; the loop has not let go.
#[inline(always)]
pub(crate) unsafe fn poll_task(task: NonNull<Header>, cx: &mut Context<'_>) -> bool {
    // SAFETY: the loop keeps the cell alive.
    let poll = unsafe { task.as_ref() }.vtable().poll;
    // SAFETY: the caller's, and Typed.
    unsafe { poll(task, cx) }
}

/// Drops the future, if it is there. Gives back what its destructor panicked with.
///
/// # Safety
/// Alone; the loop has not let go.
pub(crate) unsafe fn drop_task_future(task: NonNull<Header>) -> Result<(), Box<dyn Any + Send>> {
    // SAFETY: the loop keeps the cell alive.
    let header = unsafe { task.as_ref() };
    if !header.is(Flags::FUTURE) {
        return Ok(());
    }
    let drop_future = header.vtable().drop_future;
    catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller's, and Typed.
        unsafe { drop_future(task) }
    }))
}

/// The loop lets go: the output or the failure is in place, the slot is free.
///
/// Wakes the handle's waiter, or, when the handle has gone, reports what nobody will look at
/// and frees the cell.
///
/// # Safety
/// Called once a task, by the loop, which must not touch the cell afterwards.
#[inline]
pub(crate) unsafe fn finish(task: NonNull<Header>) {
    // SAFETY: the loop keeps the cell alive until this function ends its use of `header`.
    let header = unsafe { task.as_ref() };
    if let Some(mut will) = header.take_will() {
        will.discard();
        token::drop_safely(will);
    }
    // No foreign code between these two: whoever sees the task running finds it so.
    let (vars, span) = (header.retire(), trace::take(header));
    header.set(Flags::DONE);
    if header.is(Flags::HANDLE) {
        // The waker may drop the handle, which frees the cell: not touched after this.
        if let Some(joiner) = header.take_joiner() {
            token::wake_safely(joiner);
        }
    } else if let Err(payload) = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the handle has let go, so the cell is ours alone.
        unsafe { discard(task) }
    })) {
        report::panicked("the destructor of a task's output panicked", None, payload);
    }
    if vars.is_some() {
        token::drop_safely(vars);
    }
    span.close();
}

/// Ends a cell whose result nobody takes: reports an unseen failure, drops the output, frees.
/// A panic of the output's destructor goes on after the cell is freed.
///
/// # Safety
/// DONE is set and the caller is the last owner.
pub(super) unsafe fn discard(task: NonNull<Header>) {
    struct Free(NonNull<Header>);
    impl Drop for Free {
        fn drop(&mut self) {
            // SAFETY: the caller of `discard` is the last owner.
            let free = unsafe { self.0.as_ref() }.vtable().free;
            // SAFETY: Owners; the stage is empty: the output was taken or its drop has begun.
            unsafe { free(self.0) };
        }
    }
    let free = Free(task);
    // SAFETY: the caller owns the cell.
    let header = unsafe { free.0.as_ref() };
    if let Some(JoinError::Panicked(panic)) = header.take_failure() {
        report::unseen_panic(header, panic);
    }
    if !header.is(Flags::OUTPUT) {
        return;
    }
    if let Some(inspect) = header.if_extra(|extra| extra.inspect.take()) {
        let output = stage(task).as_ptr();
        // A `Display` that panics must not keep the output from being dropped.
        report::quietly(|| {
            // SAFETY: `detach` chose the function for this task's output type, which is in place.
            unsafe { inspect(header, output) }
        });
    }
    let drop_output = header.vtable().drop_output;
    // SAFETY: Typed; OUTPUT is set.
    unsafe { drop_output(task) };
}

/// Moves the result out of a finished task.
///
/// # Safety
/// DONE is set, the handle has not let go, and `T` is the task's output type.
#[inline]
pub(super) unsafe fn take_result<T>(task: NonNull<Header>) -> Option<Result<T, JoinError>> {
    // SAFETY: the handle keeps the cell alive.
    let header = unsafe { task.as_ref() };
    if !header.is(Flags::OUTPUT) {
        return header.take_failure().map(Err);
    }
    header.clear(Flags::OUTPUT);
    // SAFETY: Stage: the output is there, of type `T` by the caller, and read once.
    Some(Ok(unsafe { stage(task).cast::<T>().read() }))
}

/// Puts a result back that `take_result` gave.
///
/// # Safety
/// DONE is set, the handle has not let go, `T` is the task's output type, and no result is there.
pub(super) unsafe fn put_result<T>(task: NonNull<Header>, result: Result<T, JoinError>) {
    // SAFETY: the handle keeps the cell alive.
    let header = unsafe { task.as_ref() };
    match result {
        Err(failure) => header.fail(failure),
        Ok(output) => {
            // SAFETY: Stage: it is empty, large enough for the output, and the caller's.
            unsafe { stage(task).cast::<T>().write(output) };
            header.set(Flags::OUTPUT);
        }
    }
}

/// Notes a caught panic as the task's result.
pub(crate) fn fail_with_panic(header: &Header, payload: Box<dyn Any + Send>) {
    header.fail(JoinError::Panicked(Panic::new(payload)));
}
