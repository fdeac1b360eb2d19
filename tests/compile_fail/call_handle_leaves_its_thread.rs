//! A callback is cancelled on the thread of its loop.

fn main() {
    petla::run(async {
        let call = petla::EventLoop::current().call_soon(|| ());
        std::thread::spawn(move || call.cancel());
    });
}
