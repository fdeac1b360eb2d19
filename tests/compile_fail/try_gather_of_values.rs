//! `try_gather!` wants futures of `Result`s.

fn main() {
    petla::run(async {
        let both = petla::try_gather!(async { Ok::<u8, ()>(1) }, async { 2 });
        let _ = both.await;
    });
}
