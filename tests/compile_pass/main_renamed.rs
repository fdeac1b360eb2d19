//! The crate under another name, and a `main` that never returns by itself.
#![deny(warnings)]

mod deep {
    pub use petla as other;
}

#[deep::other::main(crate = "crate::deep::other")]
async fn main() -> ! {
    deep::other::yield_now().await;
    std::process::exit(0)
}
