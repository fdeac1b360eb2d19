//! The error of a detached task is reported, so it has to be printable.

struct Silent;

fn main() {
    petla::run(async {
        petla::spawn(async { Err::<(), Silent>(Silent) }).detach();
    });
}
