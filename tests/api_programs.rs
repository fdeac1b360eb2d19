//! Programs against the public interface, as a user would write them: each must compile as it
//! stands, and run to its end.
//!
//! # Not here
//! What they print: the tests of each part look at results.

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p01c_group {
    include!("api/p01c_group.rs");

    #[test]
    fn a_group_joins_its_producers_and_shuts_the_queue_down() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p04_wait_first {
    include!("api/p04_wait_first.rs");

    #[test]
    fn the_first_good_answer_wins() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p05_task_group {
    include!("api/p05_task_group.rs");

    #[test]
    fn the_failed_group_at_its_end_says_what_failed() {
        let error = main().unwrap_err().to_string();
        assert!(error.starts_with("a task failed: task-"), "{error}");
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p08_cancel_scopes {
    include!("api/p08_cancel_scopes.rs");

    #[test]
    fn scopes_end_in_every_way() {
        main().unwrap();
    }
}

#[allow(clippy::all, reason = "a program as its author wrote it")]
mod p10_tests {
    include!("api/p10_tests.rs");

    #[test]
    fn tests_are_written_like_this() {
        main();
    }
}

#[allow(clippy::all, unused, reason = "a program as its author wrote it")]
mod p13_errors {
    include!("api/p13_errors.rs");

    #[test]
    fn errors_convert_by_the_question_mark() {
        main();
        assert_eq!(
            petla::run(f())
                .unwrap_err()
                .to_string()
                .contains("No such file"),
            true
        );
        assert_eq!(petla::run(g()).unwrap(), 5);
        assert_eq!(petla::run(h()).unwrap(), 3);
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
