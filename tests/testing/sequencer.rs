//! `Sequencer`: steps in their order, also when some are given up.

use std::rc::Rc;

use petla::spawn;
use petla::testing::{
    self, Explorer, Sequencer, assert_pending, assert_ready, poll_once, wait_all_tasks_blocked,
};

use crate::common::{Bell, Log, panic_text};

#[test]
fn steps_come_in_their_order_whatever_the_order_of_the_tasks() {
    Explorer::new().seeds(0..200).run(async || {
        let (sequencer, log) = (Rc::new(Sequencer::new()), Log::new());
        let tasks = [3, 0, 2, 1].map(|step| {
            let (sequencer, log) = (sequencer.clone(), log.clone());
            spawn(async move {
                sequencer.at(step).await;
                log.push(step);
                sequencer.at(step + 4).await;
                log.push(step + 4);
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(log.take(), [0, 1, 2, 3, 4, 5, 6, 7]);
    });
}

#[test]
fn a_step_that_nobody_reached_yet_holds_up_the_later_ones() {
    let sequencer = Sequencer::new();
    let mut last = sequencer.at(2);
    assert_pending(&mut last);
    assert_ready(&mut sequencer.at(0));
    assert_pending(&mut last);
    assert_ready(&mut sequencer.at(1));
    assert_ready(&mut last);
}

#[test]
fn each_step_wakes_the_next_one_only() {
    let sequencer = Sequencer::new();
    let (one, two) = (Bell::new(), Bell::new());
    let (mut first, mut second) = (sequencer.at(1), sequencer.at(2));
    assert!(one.poll(&mut first).is_pending() && two.poll(&mut second).is_pending());
    assert_ready(&mut sequencer.at(0));
    assert_eq!((one.rings(), two.rings()), (1, 0));
    assert_ready(&mut first);
    assert_eq!((one.rings(), two.rings()), (1, 1));
    assert!(!one.is_kept() && !two.is_kept());
}

#[test]
fn a_step_that_is_dropped_while_it_waits_is_passed() {
    let sequencer = Sequencer::new();
    let bell = Bell::new();
    let (mut one, mut two, mut three) = (sequencer.at(1), sequencer.at(2), sequencer.at(3));
    assert_pending(&mut one);
    assert_pending(&mut two);
    assert!(bell.poll(&mut three).is_pending());
    drop(two);
    drop(one);
    assert_eq!(bell.rings(), 0, "step 0 is missing");
    assert_ready(&mut sequencer.at(0));
    assert_eq!(bell.rings(), 1);
    assert_ready(&mut three);
}

#[test]
fn a_step_that_is_dropped_when_its_time_has_come_is_passed_too() {
    let sequencer = Sequencer::new();
    let (mut one, mut two) = (sequencer.at(1), sequencer.at(2));
    assert_pending(&mut one);
    assert_pending(&mut two);
    assert_ready(&mut sequencer.at(0));
    drop(one);
    assert_ready(&mut two);
}

#[test]
fn a_step_that_was_never_polled_is_not_missed_when_it_is_dropped() {
    let sequencer = Sequencer::new();
    drop(sequencer.at(0));
    assert_ready(&mut sequencer.at(0));
}

#[test]
fn a_cancelled_task_does_not_block_the_others() {
    testing::run(async {
        let sequencer = Rc::new(Sequencer::new());
        let tasks = [1, 2].map(|step| {
            let sequencer = sequencer.clone();
            spawn(async move { sequencer.at(step).await })
        });
        wait_all_tasks_blocked().await;
        tasks[0].cancel("enough");
        sequencer.at(0).await;
        let [first, second] = tasks;
        assert!(first.await.is_err());
        second.await.unwrap();
    });
}

#[test]
fn a_step_that_is_taken_twice_is_a_mistake_of_the_test() {
    let sequencer = Sequencer::new();
    assert_ready(&mut sequencer.at(0));
    let mut waits = sequencer.at(2);
    assert_pending(&mut waits);
    for step in [0, 2] {
        let text = panic_text(|| poll_once(&mut sequencer.at(step)));
        let expected = format!("step {step} of a Sequencer was taken before");
        assert_eq!(text, expected);
    }
    assert_ready(&mut sequencer.at(1));
    assert_ready(&mut waits);
    assert!(format!("{sequencer:?}").contains("next: 3"));
}
