//! What the main future borrows stays borrowed until the run is over.

fn main() {
    let mut words = vec![1];
    let main = async {
        petla::yield_now().await;
        words.len()
    };
    words.push(2);
    petla::run(main);
}
