//! A subscriber that writes down what it is told, one line each, and calls back if it is asked to.
//!
//! Spans are called by their task's name, or else by kind and number: `task-3`, `blocking-4`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};

use petla::EventLoop;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type Hook = Rc<dyn Fn(&str)>;

thread_local! {
    /// Called with each line, when nothing of the recorder is locked.
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Calls `hook` with each line of this thread from now on.
pub(crate) fn hook(hook: impl Fn(&str) + 'static) {
    HOOK.replace(Some(Rc::new(hook)));
}

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    spans: HashMap<u64, Known>,
    made: u64,
    entered: Vec<u64>,
}

struct Known {
    name: String,
    references: u32,
}

impl Recorder {
    /// Runs `main` on a loop of its own; gives what was recorded.
    pub(crate) fn of<F: Future>(main: F) -> (Vec<String>, F::Output) {
        Recorder::on(&EventLoop::new().expect("a loop"), main)
    }

    /// The same on a loop that is there, and is closed before the record ends.
    pub(crate) fn on<F: Future>(event_loop: &EventLoop, main: F) -> (Vec<String>, F::Output) {
        let recorder = Recorder::default();
        let output = tracing::subscriber::with_default(recorder.clone(), || {
            let output = event_loop.run_until_complete(main);
            event_loop.close().expect("it does not run");
            output.expect("nobody stops it")
        });
        HOOK.take();
        (recorder.lines(), output)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let state = self.state();
        assert_eq!(state.entered, [], "every span that was entered was left");
        assert!(state.spans.is_empty(), "every span was closed");
        state.lines.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics under this lock")
    }

    fn say(&self, line: impl FnOnce(&mut State) -> String) {
        let mut state = self.state();
        let line = line(&mut state);
        state.lines.push(line.clone());
        drop(state);
        let hook = HOOK.with_borrow(Option::clone);
        if let Some(hook) = hook {
            hook(&line);
        }
    }
}

impl State {
    fn name(&self, id: u64) -> &str {
        self.spans.get(&id).map_or("nobody", |span| &span.name)
    }
}

/// Fields as `name=value`, each after a blank.
#[derive(Default)]
struct Fields(String);

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        let fields = self.0.split(' ');
        fields
            .filter_map(|field| field.split_once('='))
            .find_map(|(field, value)| (field == name).then_some(value))
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("a string takes it");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let metadata = span.metadata();
        let mut id = 0;
        self.say(|state| {
            state.made += 1;
            id = state.made;
            let kind = fields.get("kind").unwrap_or(metadata.name());
            let numbered = format!("{kind}-{}", fields.get("task.id").unwrap_or("x"));
            let name = fields.get("task.name").map_or(numbered, str::to_owned);
            let (target, level) = (metadata.target(), metadata.level());
            let root = if span.is_root() { " root" } else { "" };
            let line = format!(
                "new {name}: {level} {target} {}{root}{}",
                metadata.name(),
                fields.0
            );
            let references = 1;
            state.spans.insert(id, Known { name, references });
            line
        });
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.say(|state| format!("record {}:{}", state.name(span.into_u64()), fields.0));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        self.say(|state| {
            let inside = state.entered.last().map_or("nothing", |&id| state.name(id));
            if let Some(op) = fields.get("op") {
                let id = fields.get("task.id").and_then(|id| id.parse().ok());
                return format!("{op} {} in {inside}", state.name(id.unwrap_or(0)));
            }
            let (target, level) = (metadata.target(), metadata.level());
            format!("{level} {target} in {inside}:{}", fields.0)
        });
    }

    fn enter(&self, span: &Id) {
        self.say(|state| {
            state.entered.push(span.into_u64());
            format!("enter {}", state.name(span.into_u64()))
        });
    }

    fn exit(&self, span: &Id) {
        self.say(|state| {
            let last = state.entered.pop();
            assert_eq!(last, Some(span.into_u64()), "the innermost is left first");
            format!("exit {}", state.name(span.into_u64()))
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        let mut state = self.state();
        let span = state.spans.get_mut(&id.into_u64());
        span.expect("a span that lives").references += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut state = self.state();
        let span = state.spans.get_mut(&id.into_u64());
        let span = span.expect("a span that lives");
        span.references -= 1;
        if span.references > 0 {
            return false;
        }
        drop(state);
        self.say(|state| {
            let span = state.spans.remove(&id.into_u64());
            format!("close {}", span.expect("seen above").name)
        });
        true
    }
}

/// The lines that speak of `name`.
pub(crate) fn about<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    let speaks = |line: &&str| line.split([' ', ':', '=']).any(|word| word == name);
    lines.iter().map(String::as_str).filter(speaks).collect()
}
