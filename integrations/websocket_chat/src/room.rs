//! Who is here, and what they hear.
//!
//! Saying something never waits: it is put into the queues of all members. A member whose queue is
//! full is told to go.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use async_tungstenite::tungstenite::Utf8Bytes;
use petla::local::{Event, Queue};
use serde::Serialize;

/// How many messages a member may be behind, beside what the system holds for its socket.
const BEHIND_MAX: usize = 64;
/// Characters of a name.
const NAME_MAX: usize = 30;

/// What members are sent, as JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum News<'a> {
    Joined { name: &'a str, here: Vec<String> },
    Left { name: &'a str, here: Vec<String> },
    Said { name: &'a str, text: &'a str },
    Refused { text: &'a str },
}

#[derive(Debug, Default)]
pub(crate) struct Room {
    members: RefCell<BTreeMap<String, Member>>,
}

#[derive(Debug)]
struct Member {
    unheard: Rc<Queue<Utf8Bytes>>,
    too_slow: Rc<Event>,
}

/// A member's place, given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Rc<Room>,
    name: String,
    /// What it was not sent yet.
    pub(crate) unheard: Rc<Queue<Utf8Bytes>>,
    /// Set when it has to go.
    pub(crate) too_slow: Rc<Event>,
}

impl News<'_> {
    pub(crate) fn to_text(&self) -> Utf8Bytes {
        let text = serde_json::to_string(self);
        text.expect("neither maps with odd keys nor writers").into()
    }
}

impl Room {
    /// Takes a new member, and tells all, or says why not.
    pub(crate) fn enter(self: &Rc<Self>, name: &str) -> Result<Place, &'static str> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME_MAX {
            return Err("A name has between 1 and 30 characters.");
        }
        if name.chars().any(char::is_control) {
            return Err("A name has no control characters.");
        }
        if self.members.borrow().contains_key(name) {
            return Err("Somebody of that name is here already.");
        }
        let place = Place {
            room: Rc::clone(self),
            name: name.to_owned(),
            unheard: Rc::new(Queue::bounded(BEHIND_MAX)),
            too_slow: Rc::new(Event::new()),
        };
        let member = Member {
            unheard: Rc::clone(&place.unheard),
            too_slow: Rc::clone(&place.too_slow),
        };
        self.members.borrow_mut().insert(name.to_owned(), member);
        let here = self.here();
        println!("{name} has come: {} here", here.len());
        self.tell_all(&News::Joined { name, here });
        Ok(place)
    }

    fn here(&self) -> Vec<String> {
        self.members.borrow().keys().cloned().collect()
    }

    fn tell_all(&self, news: &News<'_>) {
        let text = news.to_text();
        for member in self.members.borrow().values() {
            if member.unheard.put_nowait(text.clone()).is_err() {
                member.too_slow.set();
            }
        }
    }
}

impl Place {
    pub(crate) fn say(&self, text: &str) {
        let name = &self.name;
        self.room.tell_all(&News::Said { name, text });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Place { room, name, .. } = self;
        room.members.borrow_mut().remove(name);
        let here = room.here();
        println!("{name} has gone: {} here", here.len());
        room.tell_all(&News::Left { name, here });
    }
}
