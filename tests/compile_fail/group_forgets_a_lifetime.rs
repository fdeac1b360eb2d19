//! A group for what lives long takes nothing that lives shorter, in children or in errors.

use petla::TaskGroup;

fn shorter<'short, 'long: 'short>(g: TaskGroup<'long, ()>) -> TaskGroup<'short, ()> {
    g
}

fn longer<'short, 'long: 'short>(g: TaskGroup<'short, ()>) -> TaskGroup<'long, ()> {
    g
}

fn shorter_error<'short, 'long: 'short>(
    g: TaskGroup<'short, &'long str>,
) -> TaskGroup<'short, &'short str> {
    g
}

fn main() {}
