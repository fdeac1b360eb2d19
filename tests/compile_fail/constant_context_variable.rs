//! A variable is known by its address: a constant has none of its own.

const NAME: petla::ContextVar<u32> = petla::ContextVar::new(|| 0);

fn main() {
    NAME.set(1);
}
