//! An `EventLoop` stays on its thread; its `handle()` is what travels.

fn main() {
    let event_loop = petla::EventLoop::new().unwrap();
    std::thread::spawn(move || event_loop.stop());
}
