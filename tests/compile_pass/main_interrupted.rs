//! SIGINT ends `main` in order, and then the process. It is a child of itself.
#![deny(warnings)]

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

#[petla::main]
async fn main() {
    if std::env::args().nth(1).is_none() {
        let program = std::env::current_exe().unwrap();
        let child = Command::new(program).arg("child").stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut byte = [0; 6];
        out.read_exact(&mut byte).unwrap();
        let kill = format!("kill -INT {}", child.id());
        assert!(Command::new("sh").arg("-c").arg(kill).status().unwrap().success());
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "cleaned up");
        assert_eq!(child.wait().unwrap().signal(), Some(2));
        return;
    }
    let scope = petla::CancelScope::new().run(async |scope| {
        let clean_up = scope.on_cancel(async {
            petla::yield_now().await;
            print!("cleaned up");
        });
        println!("ready");
        std::future::pending::<()>().await;
        clean_up.disarm();
    });
    let _ = scope.await;
}
