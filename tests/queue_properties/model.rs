//! A queue that anybody can read: who wants what, and who can have it.
//!
//! It knows no wakers, no lines of pointers and no counts kept beside what they count. After each
//! step it looks at everybody in order and serves whoever can be served.
//!
//! # Not here
//! Speed: it is quadratic.

use std::collections::VecDeque;

use super::{Answer, Item, Seen, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    Place(Item),
    Slot,
    Item,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    InLine,
    /// It may have what it wants, or be told that there is nothing.
    Served,
    Told,
}

/// Takes an item out of those that are there.
pub(super) type Pick = fn(&mut VecDeque<Item>) -> Option<Item>;

pub(super) fn oldest(items: &mut VecDeque<Item>) -> Option<Item> {
    items.pop_front()
}

pub(super) fn youngest(items: &mut VecDeque<Item>) -> Option<Item> {
    items.pop_back()
}

pub(super) fn smallest(items: &mut VecDeque<Item>) -> Option<Item> {
    let best = (0..items.len()).min_by_key(|&index| items[index].0)?; // the first of equal ones
    items.remove(best)
}

struct Model {
    pick: Pick,
    capacity: usize,
    items: VecDeque<Item>,
    living: Vec<(Wants, Stands)>,
    slots: usize,
    unfinished: usize,
    peak: usize,
    shut: bool,
    immediate: bool,
}

impl Model {
    fn served(&self, wants: impl Fn(Wants) -> bool) -> usize {
        self.living
            .iter()
            .filter(|(what, stands)| *stands == Stands::Served && wants(*what))
            .count()
    }

    fn promised_places(&self) -> usize {
        self.slots + self.served(|wants| matches!(wants, Wants::Place(_) | Wants::Slot))
    }

    fn has_place(&self) -> bool {
        self.items.len() + self.promised_places() < self.capacity
    }

    /// Whether a put that comes now may not go ahead of those that have a place already.
    fn is_full(&self) -> bool {
        !self.has_place() || self.promised_places() != self.slots
    }

    fn has_item(&self) -> bool {
        self.items.len() > self.served(|wants| wants == Wants::Item)
    }

    fn is_exhausted(&self) -> bool {
        self.immediate || self.shut && self.items.is_empty() && self.slots == 0
    }

    fn put(&mut self, item: Item) {
        self.items.push_back(item);
        self.unfinished += 1;
        self.peak = self.peak.max(self.items.len());
    }

    fn take(&mut self) -> Answer {
        (self.pick)(&mut self.items).map_or(Answer::ShutDown, Answer::Item)
    }

    /// Serves whoever can be served, in order.
    fn serve(&mut self) {
        for index in 0..self.living.len() {
            let (wants, stands) = self.living[index];
            if stands != Stands::InLine {
                continue;
            }
            self.living[index].1 = match wants {
                Wants::Item if self.is_exhausted() => Stands::Told,
                Wants::Item if self.has_item() => Stands::Served,
                Wants::Place(_) | Wants::Slot if self.shut => Stands::Told,
                Wants::Place(_) | Wants::Slot if self.has_place() => Stands::Served,
                Wants::End if self.unfinished == 0 => Stands::Told,
                _ => Stands::InLine,
            };
        }
    }

    /// What somebody gets who asks now for the first time.
    fn ask(&mut self, wants: Wants) -> Answer {
        match wants {
            Wants::Place(item) if self.shut => Answer::Back(item),
            Wants::Slot if self.shut => Answer::ShutDown,
            Wants::Place(item) if !self.is_full() => {
                self.put(item);
                Answer::Done
            }
            Wants::Slot if !self.is_full() => {
                self.slots += 1;
                Answer::Done
            }
            Wants::Item if self.has_item() => self.take(),
            Wants::Item if self.is_exhausted() => Answer::ShutDown,
            Wants::End if self.unfinished == 0 => Answer::Done,
            _ => Answer::Pending,
        }
    }

    /// What somebody gets who was in line.
    fn claim(&mut self, wants: Wants) -> Answer {
        match wants {
            Wants::Place(item) if self.shut => Answer::Back(item),
            Wants::Slot if self.shut => Answer::ShutDown,
            Wants::Place(item) => {
                self.put(item);
                Answer::Done
            }
            Wants::Slot => {
                self.slots += 1;
                Answer::Done
            }
            Wants::Item => self.take(),
            Wants::End => Answer::Done,
        }
    }

    fn start(&mut self, wants: Wants) -> Answer {
        let answer = self.ask(wants);
        if answer == Answer::Pending {
            self.living.push((wants, Stands::InLine));
        }
        answer
    }

    fn poll(&mut self, index: usize) -> Answer {
        let (wants, stands) = self.living[index];
        if stands == Stands::InLine {
            return Answer::Pending;
        }
        self.living.remove(index);
        match wants {
            _ if stands == Stands::Served => self.claim(wants),
            Wants::Place(item) => Answer::Back(item),
            Wants::Slot | Wants::Item => Answer::ShutDown,
            Wants::End => Answer::Done,
        }
    }

    fn step(&mut self, step: Step, number: u32) -> Option<Answer> {
        Some(match step {
            Step::Put(priority) => self.start(Wants::Place((priority, number))),
            Step::Get => self.start(Wants::Item),
            Step::Reserve => self.start(Wants::Slot),
            Step::Join => self.start(Wants::End),
            Step::PutNowait(priority) => {
                let item = (priority, number);
                match self.ask(Wants::Place(item)) {
                    Answer::Pending => Answer::Full(item),
                    answer => answer,
                }
            }
            Step::GetNowait => match self.ask(Wants::Item) {
                Answer::Pending => Answer::Empty,
                answer => answer,
            },
            Step::Poll(index) => {
                let index = index.checked_rem(self.living.len())?;
                self.poll(index)
            }
            Step::Drop(index) => {
                let index = index.checked_rem(self.living.len())?;
                self.living.remove(index);
                Answer::Done
            }
            Step::FillSlot(index, priority) => {
                index.checked_rem(self.slots)?;
                self.slots -= 1;
                if !self.immediate {
                    self.put((priority, number));
                }
                Answer::Done
            }
            Step::DropSlot(index) => {
                index.checked_rem(self.slots)?;
                self.slots -= 1;
                Answer::Done
            }
            Step::TaskDone => match self.unfinished.checked_sub(1) {
                None => Answer::TooMany,
                Some(unfinished) => {
                    self.unfinished = unfinished;
                    Answer::Done
                }
            },
            Step::Shutdown(immediate) => {
                self.shut = true;
                if immediate {
                    self.immediate = true;
                    self.unfinished = self.unfinished.saturating_sub(self.items.len());
                    self.items.clear();
                }
                Answer::Done
            }
        })
    }
}

pub(super) fn model(pick: Pick, capacity: usize, program: &[Step]) -> Vec<Seen> {
    let mut model = Model {
        pick,
        capacity,
        items: VecDeque::new(),
        living: Vec::new(),
        slots: 0,
        unfinished: 0,
        peak: 0,
        shut: false,
        immediate: false,
    };
    let mut all = Vec::new();
    for (number, &step) in (0..).zip(program) {
        let answer = model.step(step, number);
        model.serve();
        let in_line = |(_, stands): &&(Wants, Stands)| *stands == Stands::InLine;
        all.push(Seen {
            answer,
            len: model.items.len(),
            full: model.is_full(),
            waiting: model.living.iter().filter(in_line).count(),
            holders: model.promised_places() + model.served(|wants| wants == Wants::Item),
            peak: model.peak,
            woken: model
                .living
                .iter()
                .map(|one| one.1 != Stands::InLine)
                .collect(),
        });
    }
    all
}
