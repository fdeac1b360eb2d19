//! Programs against the public interface, as a user would write them: each must compile as it
//! stands, and run to its end.
//!
//! # Not here
//! What they print: the tests of each part look at results.

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p04_wait_first {
    include!("api/p04_wait_first.rs");

    #[test]
    fn the_first_good_answer_wins() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p08_cancel_scopes {
    include!("api/p08_cancel_scopes.rs");

    #[test]
    fn a_scope_has_a_deadline_a_reason_and_a_clean_up() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p15_select {
    include!("api/p15_select.rs");

    #[test]
    fn select_runs_without_a_loop() {
        main();
    }
}
