//! All figures in one run, the runtimes interleaved: the tables of the README.
//!
//! Run `.ci/bench`, or `cargo bench -p petla-bench --bench table` with names of figures and
//! `--rounds N` after a `--`. How it measures stands in `petla_bench::table`; the workloads are
//! those of the subjects' own files, taken in as modules, so there is no second copy to differ.

#![allow(dead_code)] // each subject's `main`: it is for `cargo bench --bench SUBJECT`

mod combinators;
mod groups;
mod loop_program;
mod memory;
mod primitives;
mod queue;
mod scopes;
mod spawn;
mod switch;
mod threads;
mod timers;
mod two_threads;
mod uncontended;

fn main() {
    memory::serve_parent();
    let figures = [
        spawn::figures(),
        switch::figures(),
        queue::figures(),
        uncontended::figures(),
        primitives::figures(),
        two_threads::figures(),
        threads::figures(),
        combinators::figures(),
        scopes::figures(),
        groups::figures(),
        loop_program::figures(),
        timers::figures(),
        memory::figures(),
    ];
    petla_bench::table::main(figures.into_iter().flatten().collect());
}
