//! What children leave behind: no zombie, no descriptor, no running program that nobody wanted.
//!
//! Each test has a process of its own, whose children and descriptors it can count.

mod common;

use std::future::Future;
use std::process::Stdio;
use std::time::Duration;

use common::{succeeds_alone, within, yield_until};
use petla::process::{Child, Command};
use petla::{CancelScope, EventLoop, gather, timeout, yield_now};

/// The children of this process: number and state, `Z` for a zombie.
fn children() -> Vec<(u32, char)> {
    let me = std::process::id();
    let child = |entry: std::fs::DirEntry| {
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let (state, parent) = (fields.next()?, fields.next()?);
        (parent.parse() == Ok(me)).then_some((number, state.chars().next()?))
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| child(entry.unwrap())).collect()
}

/// How many descriptors are open, beside the one that looks.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// Yields until no child is left, not even as a zombie.
async fn until_no_children() {
    yield_until(|| children().is_empty()).await;
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn sleeper() -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000");
    command
}

/// A number that is still a running process.
fn runs(number: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}

fn kill(number: u32) {
    // SAFETY: takes numbers.
    unsafe { libc::kill(number.cast_signed(), libc::SIGKILL) };
}

/// Runs `work` for as long as `yields` allow, then drops it.
async fn cut_after(yields: usize, work: impl Future) {
    let limit = async {
        for _ in 0..yields {
            yield_now().await;
        }
    };
    petla::select! {
        _ = work => {}
        _ = limit => {}
    }
}

#[test]
fn a_thousand_starts_one_after_the_other_leave_nothing() {
    succeeds_alone(|| {
        within(async {
            let mut command = Command::new("true");
            assert!(command.status().await.unwrap().success());
            let before = descriptors();
            for _ in 0..1_000 {
                assert!(command.output().await.unwrap().status.success());
            }
            assert_eq!((descriptors(), children().len()), (before, 0));
        });
    });
}

#[test]
fn a_thousand_starts_fifty_at_once_leave_nothing() {
    succeeds_alone(|| {
        within(async {
            assert!(Command::new("true").status().await.unwrap().success());
            let before = descriptors();
            let starts = (0..1_000).map(|number| async move {
                let output = shell(&format!("echo {number}")).output().await.unwrap();
                assert_eq!(output.stdout, format!("{number}\n").as_bytes());
            });
            gather(starts).limit(50).await;
            assert_eq!((descriptors(), children().len()), (before, 0));
        });
    });
}

#[test]
fn children_that_are_dropped_run_on_and_are_reaped_by_the_loop() {
    succeeds_alone(|| {
        within(async {
            let before = descriptors();
            let numbers = [(); 20].map(|()| sleeper().spawn().unwrap().id());
            for _ in 0..100 {
                yield_now().await;
            }
            assert!(numbers.iter().all(|number| runs(*number)));
            assert_eq!(children().len(), 20);
            numbers.into_iter().for_each(kill);
            until_no_children().await;
            yield_until(|| descriptors() == before).await;
        });
    });
}

#[test]
fn children_of_a_loop_that_is_gone_are_reaped_by_the_next_start() {
    succeeds_alone(|| {
        let before = descriptors();
        let in_a_loop = petla::run(async { sleeper().spawn().unwrap().id() });
        let outside = sleeper().spawn().unwrap().id();
        assert_eq!(children().len(), 2);
        [in_a_loop, outside].into_iter().for_each(kill);
        while children().iter().any(|(_, state)| *state != 'Z') {
            std::thread::yield_now();
        }
        assert_eq!(children().len(), 2, "zombies");
        let last = Command::new("true").spawn().unwrap();
        assert_eq!(children(), [(last.id(), children()[0].1)], "reaped");
        let status = petla::run(last.wait()).unwrap();
        assert!(status.success());
        drop(last);
        assert!(children().is_empty());
        // The table of loops keeps the bell of one.
        assert_eq!(descriptors(), before + 1);
    });
}

#[test]
fn a_child_outlives_the_scope_that_started_it() {
    succeeds_alone(|| {
        within(async {
            let mut number = 0;
            let scope = CancelScope::new();
            let run = scope.run(async |s| {
                let child = shell("trap '' TERM HUP; exec sleep 1000").spawn().unwrap();
                number = child.id();
                s.cancel("enough");
                child.wait().await
            });
            assert!(run.await.is_err());
            assert!(runs(number));
            kill(number);
            until_no_children().await;
        });
    });
}

#[test]
fn a_child_outlives_its_parent_unless_it_was_asked_not_to() {
    let body = || {
        within(async {
            let start = |kill: bool| {
                let mut command = sleeper();
                command.stdout(Stdio::null()).stderr(Stdio::null());
                command.kill_on_drop(kill).spawn().unwrap()
            };
            let (stays, goes) = (start(false), start(true));
            println!("<{} {}>", stays.id(), goes.id());
        });
    };
    // It ends at once, whoever runs on.
    let Some(output) = common::alone(body) else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let said = common::text(&output.stdout);
    let numbers = said.split_once('<').unwrap().1.split_once('>').unwrap().0;
    let (stays, goes) = numbers.split_once(' ').unwrap();
    within(yield_until(|| !runs(goes.parse().unwrap())));
    let stays = stays.parse().unwrap();
    assert!(runs(stays));
    kill(stays);
}

#[test]
fn output_and_status_that_are_given_up_end_the_program_unless_told_otherwise() {
    succeeds_alone(|| {
        within(async {
            let short = Duration::from_millis(1);
            assert!(timeout(short, sleeper().output()).await.is_err());
            assert!(timeout(short, sleeper().status()).await.is_err());
            drop(sleeper().output());
            until_no_children().await;
            let mut command = sleeper();
            command.kill_on_drop(false);
            assert!(timeout(short, command.output()).await.is_err());
            assert!(timeout(short, command.status()).await.is_err());
            let left = children();
            assert!(left.len() == 2 && left.iter().all(|(number, _)| runs(*number)));
            left.into_iter().for_each(|(number, _)| kill(number));
            until_no_children().await;
        });
    });
}

#[test]
fn kill_on_drop_ends_the_group_too() {
    succeeds_alone(|| {
        within(async {
            let mut command = shell("sleep 1000 & echo $!; wait");
            let mut child = command
                .stdout(Stdio::piped())
                .process_group(0)
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let stdout = child.stdout.take().unwrap();
            let mut line = [0; 32];
            let n = stdout.read(&mut line).await.unwrap();
            let grandchild: u32 = str::from_utf8(&line[..n]).unwrap().trim().parse().unwrap();
            assert!(runs(grandchild));
            drop(child);
            yield_until(|| !runs(grandchild)).await;
            until_no_children().await;
        });
    });
}

#[test]
fn a_zombie_is_kept_for_its_group_until_the_child_is_dropped() {
    succeeds_alone(|| {
        within(async {
            let child = shell("exit 3").process_group(0).spawn().unwrap();
            assert_eq!(child.wait().await.unwrap().code(), Some(3));
            assert_eq!(children(), [(child.id(), 'Z')]);
            drop(child);
            assert!(children().is_empty());
            // Let go before its end.
            drop(shell("exit 3").process_group(0).spawn().unwrap());
            until_no_children().await;
        });
    });
}

/// What every cut shares: children that talk, that ignore, that end by themselves.
fn talkers() -> [(&'static str, bool); 4] {
    [
        ("cat", false),
        ("exit 0", false),
        ("trap '' TERM; exec sleep 1000", true),
        ("head -c 200000 /dev/zero; cat >&2", true),
    ]
}

fn start(script: &str, own_group: bool) -> Child {
    let mut command = shell(script);
    if own_group {
        command.process_group(0);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[test]
fn a_child_that_is_dropped_at_any_point_leaves_nothing() {
    succeeds_alone(|| {
        within(async {
            until_no_children().await;
            let before = descriptors();
            let input = vec![1; 300_000];
            for yields in (0..40).chain([80, 160, 320]) {
                for (script, own_group) in talkers() {
                    let mut child = start(script, own_group);
                    cut_after(yields, child.communicate(&input)).await;
                    drop(child);
                    let child = start(script, own_group);
                    cut_after(yields, child.wait()).await;
                    drop(child);
                    let child = start(script, own_group);
                    cut_after(yields, child.stop(Duration::ZERO)).await;
                    drop(child);
                    cut_after(yields, start(script, own_group).wait_with_output()).await;
                }
            }
            until_no_children().await;
            yield_until(|| descriptors() == before).await;
        });
    });
}

#[test]
fn a_loop_that_is_closed_at_any_point_leaves_nothing_that_runs() {
    succeeds_alone(|| {
        petla::run(async {});
        let before = descriptors();
        for yields in 0..20 {
            let event_loop = EventLoop::new().unwrap();
            for (script, own_group) in talkers() {
                let task = event_loop.spawn(async move {
                    let mut child = start(script, own_group);
                    child.communicate(b"hello").await
                });
                drop(task);
            }
            let run =
                event_loop.run_until_complete(cut_after(yields, std::future::pending::<()>()));
            run.unwrap();
            event_loop.close().unwrap();
        }
        while children().iter().any(|(_, state)| *state != 'Z') {
            std::thread::yield_now();
        }
        assert!(petla::run(Command::new("true").status()).unwrap().success());
        assert_eq!((children().len(), descriptors()), (0, before));
    });
}

#[test]
fn a_start_without_free_descriptors_is_an_error_and_leaves_nothing() {
    succeeds_alone(|| {
        within(async {
            let mut limit = libc::rlimit {
                rlim_cur: 0,
                rlim_max: 0,
            };
            // SAFETY: `limit` is valid for the call.
            unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
            let before = descriptors();
            let mut started = 0;
            for round in 0..24 {
                let free = round / 2;
                let few = libc::rlimit {
                    rlim_cur: (before + free) as u64,
                    ..limit
                };
                // SAFETY: `few` is valid for the call.
                unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &few) };
                let mut command = sleeper();
                if round % 2 == 0 {
                    command.stdin(Stdio::piped()).stdout(Stdio::piped());
                }
                let child = command.spawn();
                // SAFETY: as above.
                unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
                match child {
                    Ok(child) => {
                        started += 1;
                        child.stop(Duration::ZERO).await.unwrap();
                    }
                    Err(error) => {
                        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                        while children().iter().any(|(_, state)| *state != 'Z') {
                            yield_now().await; // it was killed
                        }
                        assert!(Command::new("true").status().await.unwrap().success());
                    }
                }
                until_no_children().await;
                yield_until(|| descriptors() == before).await;
            }
            assert!(0 < started && started < 24, "{started}");
        });
    });
}

/// A forked copy of this process neither reaps nor ends the children of the original.
#[test]
fn a_forked_child_lets_the_children_of_its_parent_alone() {
    succeeds_alone(|| {
        for own_group in [false, true] {
            let mut command = sleeper();
            if own_group {
                command.process_group(0);
            }
            let child = command.kill_on_drop(true).spawn().unwrap();
            let number = child.id();
            let copy = common::fork::fork();
            if copy == 0 {
                common::fork::exit_after(|| {
                    assert!(child.try_wait().is_err());
                    child.kill().unwrap();
                    assert!(child.send_signal(libc::SIGKILL).is_err());
                    drop(child);
                    assert!(runs(number));
                });
            }
            common::fork::reap(copy);
            assert!(runs(number));
            child.kill().unwrap();
            assert!(!petla::run(child.wait()).unwrap().success());
        }
    });
}

#[test]
fn a_forked_child_lets_the_group_of_a_child_that_has_ended_alone() {
    succeeds_alone(|| {
        let (child, left) = petla::run(async {
            let mut command = shell("sleep 1000 & echo $!");
            command.process_group(0).stdout(Stdio::piped());
            let mut child = command.kill_on_drop(true).spawn().unwrap();
            let mut output = child.stdout.take().unwrap().into_stream();
            let left: u32 = output.read_line().await.unwrap().unwrap().parse().unwrap();
            assert!(child.wait().await.unwrap().success());
            (child, left)
        });
        let copy = common::fork::fork();
        if copy == 0 {
            common::fork::exit_after(|| {
                child.kill_group().unwrap(); // nobody is left in it, as seen from here
                drop(child);
            });
        }
        common::fork::reap(copy);
        for _ in 0..1000 {
            assert!(runs(left)); // a signal may take its time
            std::thread::yield_now();
        }
        drop(child);
        while runs(left) {
            std::thread::yield_now();
        }
    });
}
