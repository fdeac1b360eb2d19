//! Type errors point into the body, and at the return type.

#[petla::main]
async fn main() -> Result<u8, std::io::Error> {
    let n: u32 = "five";
    n.no_such_method();
    if n == 5 {
        return Err("five");
    }
    Ok("six")
}
