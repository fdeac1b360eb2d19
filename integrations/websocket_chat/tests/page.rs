//! The page in a real browser: Chromium without a window, driven over the WebDriver protocol.
//!
//! Chromium and chromedriver are Debian's packages `chromium` and `chromium-driver`. The
//! screenshots go to the folder that the environment variable `CHAT_SCREENSHOTS` names, and
//! without it to a temporary one, which vanishes.

mod common;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::{Engine, prelude::BASE64_STANDARD};
use petla_testbed::{Program, free_port, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

use common::{LIMIT, Member, Server};

/// The key under which WebDriver gives an element's number.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window.
struct Browser {
    port: u16,
    session: String,
    // Dropped in this order: the browser is below its driver.
    _driver: Program,
    _profile: TempDir,
}

impl Browser {
    fn start() -> Browser {
        let port = free_port();
        let found = Command::new("chromedriver").arg("--version").output();
        found.expect("chromedriver runs: install Debian's packages chromium and chromium-driver");
        let profile = TempDir::new().unwrap();
        let mut command = Command::new("chromedriver");
        command
            .arg(format!("--port={port}"))
            .env("TMPDIR", profile.path()); // for what the browser leaves behind
        let mut driver = Program::start(command);
        driver.wait_for_line("started successfully");
        let arguments = [
            "--headless=new",
            "--no-sandbox", // which root has not
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}/user", profile.path().display()),
        ];
        let options = json!({ "goog:chromeOptions": { "args": arguments } });
        let capabilities = json!({ "capabilities": { "alwaysMatch": options } });
        let answer = ask(port, "POST", "/session", &capabilities);
        Browser {
            session: answer["sessionId"].as_str().unwrap().to_owned(),
            port,
            _driver: driver,
            _profile: profile,
        }
    }

    fn post(&self, path: &str, body: Value) -> Value {
        let path = format!("/session/{}/{path}", self.session);
        ask(self.port, "POST", &path, &body)
    }

    fn open(&self, server: &Server, width: u32) {
        // Of the page, not of its window, which has a least width.
        let size =
            json!({ "width": width, "height": 700, "deviceScaleFactor": 1, "mobile": false });
        self.tell_devtools("Emulation.setDeviceMetricsOverride", size);
        self.post(
            "url",
            json!({ "url": format!("http://{}/", server.address) }),
        );
    }

    fn tell_devtools(&self, command: &str, params: Value) {
        self.post(
            "goog/cdp/execute",
            json!({ "cmd": command, "params": params }),
        );
    }

    /// What a script in the page returns.
    fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] }))
    }

    /// Types into an element, key by key. `\n` is Enter.
    fn type_into(&self, selector: &str, text: &str) {
        let found = self.post(
            "element",
            json!({ "using": "css selector", "value": selector }),
        );
        let element = found[ELEMENT].as_str().unwrap();
        let text = text.replace('\n', "\u{e007}");
        self.post(&format!("element/{element}/value"), json!({ "text": text }));
    }

    /// What a person sees of all messages.
    fn log(&self) -> String {
        let text = self.run("return document.getElementById('log').innerText");
        text.as_str().unwrap().to_owned()
    }

    fn wait_to_see(&self, text: &str) {
        wait_for(&format!("{text:?} in the page"), LIMIT, || {
            self.log().contains(text)
        });
    }

    fn take_screenshot(&self, file: &Path) {
        let path = format!("/session/{}/screenshot", self.session);
        let image = ask(self.port, "GET", &path, &Value::Null);
        let image = BASE64_STANDARD.decode(image.as_str().unwrap()).unwrap();
        fs::write(file, image).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; what is left of it ends with the driver.
        let path = format!("/session/{}", self.session);
        ask(self.port, "DELETE", &path, &Value::Null);
    }
}

/// Sends a command to the driver; gives the value that it answers.
fn ask(port: u16, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(3 * LIMIT)).unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\n");
    let rest = format!("Content-Length: {length}\r\n\r\n{body}");
    stream.write_all((head + &rest).as_bytes()).unwrap();
    // It does not close the connection, whatever it is asked for.
    let mut stream = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while stream.read_line(&mut line).unwrap() > 2 {
        if let Some(number) = line.to_lowercase().strip_prefix("content-length:") {
            length = number.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let mut answer: Value = serde_json::from_slice(&body).unwrap();
    let error = &answer["value"]["error"];
    assert!(error.is_null(), "{method} {path}: {answer}");
    answer["value"].take()
}

#[test]
fn people_chat_in_the_page_and_what_looks_like_html_is_text() {
    let mut server = Server::start(&[]);
    let (ada, bob) = (Browser::start(), Browser::start());
    ada.open(&server, 1100);
    bob.open(&server, 400);
    let temporary = TempDir::new().unwrap();
    let kept = env::var_os("CHAT_SCREENSHOTS").map(PathBuf::from);
    let folder = kept.as_deref().unwrap_or(temporary.path());
    println!("screenshots in {}", folder.display());
    bob.take_screenshot(&folder.join("1-before.png"));

    ada.type_into("#name", "ada\n");
    ada.wait_to_see("You are in");
    bob.type_into("#name", "ada\n");
    let problem = "return document.getElementById('problem').innerText";
    wait_for("a refusal", LIMIT, || {
        bob.run(problem) == "Somebody of that name is here already."
    });
    bob.take_screenshot(&folder.join("2-refused.png"));
    bob.run("document.getElementById('name').value = ''");
    bob.type_into("#name", "bob\n");
    ada.wait_to_see("bob has joined");

    ada.type_into("#words", "Hello bob, can you read this?\n");
    bob.wait_to_see("Hello bob, can you read this?");
    let html = "<img src=x onerror=\"document.title='caught'\"> <b>yes</b>";
    bob.type_into("#words", &format!("{html}\n"));
    ada.wait_to_see(html);
    for browser in [&ada, &bob] {
        let tags = "return document.querySelectorAll('#log img, #log .text b').length";
        assert_eq!(browser.run(tags), 0);
        assert_eq!(browser.run("return document.title"), "petla chat");
    }
    petla::run(async {
        let mut eve = Member::join(&server, "<i>eve</i>").await;
        eve.say(&"a long line without an end ".repeat(12)).await;
        eve.say(&"x".repeat(200)).await;
        ada.wait_to_see(&"x".repeat(200));
        ada.type_into("#words", "That was quite a lot.\n");
        bob.wait_to_see("That was quite a lot.");
        for browser in [&ada, &bob] {
            assert!(browser.log().contains("<i>eve</i> has joined"));
            let too_wide = "return document.documentElement.scrollWidth > innerWidth";
            assert_eq!(browser.run(too_wide), false);
        }
        ada.take_screenshot(&folder.join("3-wide.png"));
        bob.take_screenshot(&folder.join("4-narrow.png"));
    });
    ada.wait_to_see("<i>eve</i> has left");
    let dark = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
    bob.tell_devtools("Emulation.setEmulatedMedia", json!({ "features": dark }));
    bob.take_screenshot(&folder.join("5-dark.png"));
    server.program.signal("TERM");
    let over = "You are out: the chat is over. Join again when you like.";
    wait_for("the end", LIMIT, || ada.run(problem) == over);
    ada.take_screenshot(&folder.join("6-over.png"));
    assert_eq!(server.program.wait_exit().code(), Some(0));
}
