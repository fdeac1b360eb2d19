//! A channel that anybody can read: ends are numbers, and one is gone when nobody has it.
//!
//! A receiver's place as a stream is an entry among those of the futures, which other calls of
//! the receiver remove. A future that is done leaves the line first, and lets its end go after
//! that: what it leaves behind may be granted before the channel is closed by it.
//!
//! # Not here
//! Speed: it looks at everybody after each step.

use std::collections::VecDeque;

use super::super::harness::{Machine, Places, Stands};
use super::super::tasks;
use super::Operation::{self, *};
use super::{Answer, Seen, Shown};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Put(usize),
    Get,
    /// A stream's next item.
    Next,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Wants {
    what: What,
    /// The number of the end.
    end: usize,
    /// It was told that there will be nothing.
    told: bool,
}

impl Wants {
    fn puts(self) -> bool {
        matches!(self.what, What::Put(_))
    }

    fn gets(self) -> bool {
        !self.puts()
    }

    fn is_future(self) -> bool {
        self.what != What::Next
    }
}

pub(super) struct Model {
    capacity: usize,
    items: VecDeque<usize>,
    peak: usize,
    senders: Vec<usize>,
    receivers: Vec<usize>,
    /// Ends so far.
    ends: usize,
    /// Items so far.
    number: usize,
    places: Places<Wants>,
    /// A future that is done, and still has its end.
    leaving: Option<Wants>,
}

impl Model {
    pub(super) fn new(capacity: usize) -> Self {
        Model {
            capacity,
            items: VecDeque::new(),
            peak: 0,
            senders: vec![1],
            receivers: vec![2],
            ends: 2,
            number: 0,
            places: Places::new(),
            leaving: None,
        }
    }

    /// Whether a future such as this has an end.
    fn any_future(&self, such: impl Fn(Wants) -> bool) -> bool {
        let such = |wants: Wants| wants.is_future() && such(wants);
        self.places.any(such) || self.leaving.is_some_and(such)
    }

    fn no_senders(&self) -> bool {
        self.senders.is_empty() && !self.any_future(Wants::puts)
    }

    fn no_receivers(&self) -> bool {
        self.receivers.is_empty() && !self.any_future(Wants::gets)
    }

    fn is_shut(&self) -> bool {
        self.no_senders() || self.no_receivers()
    }

    fn granted(&self, such: impl Fn(Wants) -> bool) -> usize {
        self.places.served(|wants| such(wants) && !wants.told)
    }

    fn has_place(&self) -> bool {
        self.items.len() + self.granted(Wants::puts) < self.capacity
    }

    fn has_item(&self) -> bool {
        self.items.len() > self.granted(Wants::gets)
    }

    fn is_exhausted(&self) -> bool {
        self.no_receivers() || self.no_senders() && self.items.is_empty()
    }

    fn put(&mut self, number: usize) -> Answer {
        self.items.push_back(number);
        self.peak = self.peak.max(self.items.len());
        Answer::Done
    }

    fn take(&mut self) -> Answer {
        self.items
            .pop_front()
            .map_or(Answer::ShutDown, Answer::Item)
    }

    /// What somebody gets who asks now for the first time.
    fn ask(&mut self, what: What) -> Answer {
        match what {
            What::Put(number) if self.is_shut() => Answer::Back(number),
            // Nobody goes ahead of those who were granted a place.
            What::Put(number) if self.has_place() && self.granted(Wants::puts) == 0 => {
                self.put(number)
            }
            What::Put(_) => Answer::Pending,
            _ if self.has_item() => self.take(),
            _ if self.is_exhausted() => Answer::ShutDown,
            _ => Answer::Pending,
        }
    }

    /// What somebody gets who was served.
    fn claim(&mut self, wants: Wants) -> Answer {
        match wants.what {
            What::Put(number) if wants.told || self.is_shut() => Answer::Back(number),
            What::Put(number) => self.put(number),
            _ if wants.told => Answer::ShutDown,
            _ => self.take(),
        }
    }

    /// Polls an entry, which is gone if it is ready.
    fn poll_entry(&mut self, index: usize) -> Answer {
        let (wants, stands) = self.places.polled(index);
        let answer = match stands {
            Stands::Outside => self.ask(wants.what),
            Stands::InLine(_) => Answer::Pending,
            Stands::Served(_) => self.claim(wants),
        };
        if answer != Answer::Pending {
            self.depart(index);
        } else if stands == Stands::Outside {
            self.places.queue(index, wants);
            self.settle();
        }
        answer
    }

    /// Removes an entry: first its place in the line, then its end.
    fn depart(&mut self, index: usize) {
        let (wants, _) = self.places.remove(index);
        self.leaving = Some(wants);
        self.settle();
        self.leaving = None;
        self.settle();
    }

    fn start(&mut self, what: What, end: usize, at_once: bool) -> Answer {
        let told = false;
        let index = self.places.add(Wants { what, end, told });
        if at_once {
            self.poll_future(index)
        } else {
            Answer::Pending
        }
    }

    fn poll_future(&mut self, index: usize) -> Answer {
        let (wants, stands) = self.places.get(index);
        if wants.what != What::Get || stands != Stands::Outside {
            return self.poll_entry(index);
        }
        let before = self.stream(wants.end);
        self.give_up(wants.end);
        self.poll_entry(index - usize::from(before.is_some_and(|stream| stream < index)))
    }

    /// The entry of a receiver's stream.
    fn stream(&self, end: usize) -> Option<usize> {
        self.places
            .find(|wants| wants.what == What::Next && wants.end == end)
    }

    fn give_up(&mut self, end: usize) {
        if let Some(index) = self.stream(end) {
            self.places.remove(index);
            self.settle();
        }
    }

    /// Lets go what nobody has any more, and serves whoever can be served.
    fn settle(&mut self) {
        for end in 0..=self.ends {
            let is_kept = self.receivers.contains(&end)
                || self
                    .places
                    .any(|wants| wants.end == end && wants.is_future());
            if let Some(index) = self.stream(end).filter(|_| !is_kept) {
                self.places.remove(index);
            }
        }
        if self.no_receivers() {
            self.items.clear();
        }
        while let Some((index, wants)) = self.places.first(Wants::gets) {
            let told = self.is_exhausted();
            if !told && !self.has_item() {
                break;
            }
            self.serve(index, Wants { told, ..wants });
        }
        while let Some((index, wants)) = self.places.first(Wants::puts) {
            let told = self.is_shut();
            if !told && !self.has_place() {
                break;
            }
            self.serve(index, Wants { told, ..wants });
        }
    }

    fn serve(&mut self, index: usize, wants: Wants) {
        self.places.queue(index, wants);
        self.places.serve(index);
    }

    fn next(&mut self, index: usize, stays: bool) -> Option<Answer> {
        let end = self.receivers[index.checked_rem(self.receivers.len())?];
        if self
            .places
            .any(|wants| wants.end == end && wants.is_future())
        {
            return None;
        }
        if let Some(index) = self.stream(end) {
            return Some(self.poll_entry(index));
        }
        if stays {
            let told = false;
            let what = What::Next;
            let index = self.places.add(Wants { what, end, told });
            return Some(self.poll_entry(index));
        }
        let answer = self.ask(What::Get);
        self.settle();
        Some(answer)
    }

    fn get_nowait(&mut self, index: usize) -> Option<Answer> {
        let end = self.receivers[index.checked_rem(self.receivers.len())?];
        self.give_up(end);
        let answer = self.ask(What::Get);
        self.settle();
        Some(match answer {
            Answer::Pending => Answer::Empty,
            answer => answer,
        })
    }

    fn new_end(&mut self) -> usize {
        self.ends += 1;
        self.ends
    }

    fn put_step(&mut self, index: usize, at_once: Option<bool>) -> Option<Answer> {
        let end = self.senders[index.checked_rem(self.senders.len())?];
        self.number += 1;
        let what = What::Put(self.number);
        if let Some(at_once) = at_once {
            return Some(self.start(what, end, at_once));
        }
        let answer = self.ask(what);
        self.settle();
        Some(match answer {
            Answer::Pending => Answer::Full(self.number),
            answer => answer,
        })
    }

    fn drop_end(&mut self, index: usize) -> Option<Answer> {
        let index = index.checked_rem(self.senders.len() + self.receivers.len())?;
        match index.checked_sub(self.senders.len()) {
            None => self.senders.remove(index),
            Some(index) => self.receivers.remove(index),
        };
        self.settle();
        Some(Answer::Done)
    }

    /// The entry of a future, by its index among the futures.
    fn entry(&self, index: usize) -> usize {
        let mut entries = (0..).filter(|entry| self.places.get(*entry).0.is_future());
        entries.nth(index).expect("there are so many futures")
    }
}

impl Machine for Model {
    type Operation = Operation;
    type Answer = Answer;
    type Seen = Seen;

    fn act(&mut self, operation: Operation) -> Option<Answer> {
        match operation {
            Put(index, at_once) => self.put_step(index, Some(at_once)),
            PutNowait(index) => self.put_step(index, None),
            Get(index, at_once) => {
                let end = self.receivers[index.checked_rem(self.receivers.len())?];
                Some(self.start(What::Get, end, at_once))
            }
            GetNowait(index) => self.get_nowait(index),
            PollNext(index) => self.next(index, true),
            TryNext(index) => self.next(index, false),
            CloneSender(index) => {
                index.checked_rem(self.senders.len())?;
                let end = self.new_end();
                self.senders.push(end);
                Some(Answer::Done)
            }
            CloneReceiver(index) => {
                index.checked_rem(self.receivers.len())?;
                let end = self.new_end();
                self.receivers.push(end);
                Some(Answer::Done)
            }
            DropEnd(index) => self.drop_end(index),
        }
    }

    fn poll(&mut self, index: usize) -> Answer {
        self.poll_future(self.entry(index))
    }

    fn abandon(&mut self, index: usize) {
        self.depart(self.entry(index));
    }

    fn woken(&self) -> Vec<usize> {
        self.places.woken_of(Wants::is_future)
    }

    fn look(&self) -> Seen {
        let some = !self.senders.is_empty() || !self.receivers.is_empty();
        let stream = |end: &usize| {
            let such = |wants: Wants| wants.end == *end && !wants.is_future();
            self.places.woken_of(such).first().copied().unwrap_or(0)
        };
        Seen {
            shown: some.then(|| Shown {
                len: self.items.len(),
                is_closed: self.is_shut(),
                waiting: self.places.waiting(|_| true),
                holders: self.granted(|_| true),
                peak: self.peak,
            }),
            streams: self.receivers.iter().map(stream).collect(),
            alive: self.items.len() + self.places.count(Wants::puts),
        }
    }
}

impl tasks::Model for Model {
    type Wants = Wants;

    fn places(&mut self) -> &mut Places<Wants> {
        &mut self.places
    }

    fn lapse(&mut self, index: usize) {
        let (wants, _) = self.places.get(index);
        if !wants.told {
            self.places.put_out(index, wants);
            self.settle();
        }
    }
}
