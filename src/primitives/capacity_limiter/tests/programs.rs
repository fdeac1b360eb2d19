//! Random programs on a limiter, compared with plain lists.
//!
//! # Not here
//! Lapses: `tests`.

use std::task::Poll;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire,
    TryAcquire,
    Poll(usize),
    Drop(usize),
    GiveBack(usize),
    SetTotal(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Acquire),
        1 => Just(Step::TryAcquire),
        4 => (0..16_usize).prop_map(Step::Poll),
        2 => (0..16_usize).prop_map(Step::Drop),
        3 => (0..16_usize).prop_map(Step::GiveBack),
        1 => (0..5_usize).prop_map(Step::SetTotal),
    ]
}

/// Who waits, who was granted and who has a token, in plain lists.
struct Plain<'a> {
    total: usize,
    /// In the order of their first polls.
    futures: Vec<Asked<'a>>,
    /// In the order in which they were taken, each with its name.
    tokens: Vec<(Token<'a, Local>, String)>,
    /// How many asked.
    asked: usize,
}

/// Who waits.
struct Asked<'a> {
    future: Boxed<'a, Token<'a, Local>>,
    name: String,
    granted: bool,
}

impl<'a> Plain<'a> {
    fn borrowed(&self) -> usize {
        self.tokens.len() + self.futures.iter().filter(|asked| asked.granted).count()
    }

    fn grant(&mut self) {
        while self.borrowed() < self.total {
            match self.futures.iter_mut().find(|asked| !asked.granted) {
                Some(asked) => asked.granted = true,
                None => return,
            }
        }
    }

    fn step(&mut self, limiter: &'a Limiter<Local>, step: Step) -> Result<(), TestCaseError> {
        let free = self.borrowed() < self.total;
        match step {
            Step::Acquire => {
                let name = self.asked.to_string();
                self.asked += 1;
                let mut future: Boxed<'a, _> = Box::pin(limiter.acquire_as(name.clone()));
                match poll(&mut future) {
                    Poll::Ready(token) => {
                        prop_assert!(free);
                        self.tokens.push((token, name));
                    }
                    Poll::Pending => {
                        prop_assert!(!free);
                        self.futures.push(Asked {
                            future,
                            name,
                            granted: false,
                        });
                    }
                }
            }
            Step::TryAcquire => prop_assert_eq!(limiter.try_acquire().is_some(), free),
            Step::Poll(index) if index < self.futures.len() => {
                let asked = &mut self.futures[index];
                match poll(&mut asked.future) {
                    Poll::Ready(token) => {
                        prop_assert!(asked.granted);
                        self.tokens.push((token, self.futures.remove(index).name));
                    }
                    Poll::Pending => prop_assert!(!asked.granted),
                }
            }
            Step::Drop(index) if index < self.futures.len() => drop(self.futures.remove(index)),
            Step::GiveBack(index) if index < self.tokens.len() => drop(self.tokens.remove(index)),
            Step::SetTotal(total) => {
                self.total = total;
                limiter.set_total(total);
            }
            _ => {}
        }
        self.grant();
        Ok(())
    }
}

proptest! {
    /// Within, Fed, Fair.
    #[test]
    fn any_program_ends_as_the_plain_model_does(
        total in 0..4_usize,
        program in prop::collection::vec(step(), 0..80),
    ) {
        let limiter = Limiter::<Local>::new(total);
        let mut plain = Plain { total, futures: Vec::new(), tokens: Vec::new(), asked: 0 };
        for step in program {
            plain.step(&limiter, step)?;
            let waiting = plain.futures.iter().filter(|asked| !asked.granted).count();
            prop_assert_eq!(limiter.statistics().waiting, waiting);
            prop_assert_eq!(limiter.borrowed(), plain.borrowed());
            let names: Vec<_> = plain.tokens.iter().map(|(_, name)| Some(&**name)).collect();
            let borrowers = limiter.borrowers();
            prop_assert_eq!(super::names(&borrowers), names);
        }
        drop(plain);
        prop_assert_eq!(limiter.borrowed(), 0);
    }
}
