//! A `main` with attributes, a qualified return type, `?` and `return`; names in its way.
#![deny(warnings)]

mod petla {}

/// Documented.
#[::petla::main(sigterm)]
#[allow(clippy::needless_return)]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error + 'static>>
where
    u8: Copy,
{
    let five: u8 = "5".parse()?;
    ::petla::sleep(std::time::Duration::from_millis(1)).await;
    if five == 5 {
        return Ok(());
    }
    Err("not five".into())
}
