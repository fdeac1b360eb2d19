//! A callback is kept by the loop, so it may not borrow.

fn main() {
    let event_loop = petla::EventLoop::new().unwrap();
    let text = String::from("gone before it is called");
    event_loop.call_soon(|| println!("{text}"));
    event_loop.run_forever().unwrap();
}
