//! HTTP by hand: what each request is answered, in which order, and how connections end.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use petla::net::TcpStream;
use petla::streams::{Server, StreamReader, StreamWriter, open_connection};

use crate::any_port;
use crate::common::{poll_once, text, within, within_io, yield_until};
use crate::http_server::{self, Site, parse};

/// A connection to a new server.
async fn site() -> io::Result<(Server, Rc<Site>, StreamReader, StreamWriter)> {
    let (server, site) = http_server::start(any_port()).await?;
    let (reader, writer) = open_connection(server.local_addr()?).await?;
    Ok((server, site, reader, writer))
}

/// One answer: its status, its fields, and as much of a body as is announced and sent.
async fn answer(reader: &mut StreamReader, has_body: bool) -> io::Result<(u16, String, String)> {
    let head = text(reader.read_until(b"\r\n\r\n").await?);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.split("Content-Length: ").nth(1).unwrap();
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; if has_body { length } else { 0 }];
    reader.read_exact(&mut body).await?;
    Ok((status, head, text(&body)))
}

/// The whole of what comes back for one connection's bytes.
fn conversation(request: &[u8]) -> String {
    within(async {
        let (server, _site) = http_server::start(any_port()).await?;
        let peer = TcpStream::connect(server.local_addr()?).await?;
        let write = async {
            // A server that has refused already may not read it all.
            let _ = peer.write_all(request).await;
            peer.shutdown(Shutdown::Write)
        };
        let read = async {
            let (mut all, mut buf) = (Vec::new(), [0; 4096]);
            while let n @ 1.. = peer.read(&mut buf).await? {
                all.extend_from_slice(&buf[..n]);
            }
            io::Result::Ok(text(&all))
        };
        let (_, all) = petla::gather!(write, read).await;
        all
    })
    .unwrap()
}

#[test]
fn a_connection_serves_many_requests() {
    within_io(async {
        let (_server, _site, mut reader, mut writer) = site().await?;
        for _ in 0..3 {
            writer.write(b"GET /?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
            let (status, head, body) = answer(&mut reader, true).await?;
            assert_eq!((status, &body[..]), (200, "hello\n"));
            assert!(
                head.contains("\r\nDate: ") && !head.contains("close"),
                "{head}"
            );
        }
        writer.write(b"POST /echo HTTP/1.1\r\nhost:a\r\ncontent-length: 4\r\n\r\ndata");
        assert_eq!(answer(&mut reader, true).await?.2, "data");
        writer.write(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        let (status, head, _) = answer(&mut reader, false).await?;
        assert!(status == 200 && head.contains("Content-Length: 6\r\n"));
        writer.write(b"GET /no HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(answer(&mut reader, true).await?.0, 404);
        writer.write(b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(answer(&mut reader, true).await?.0, 405);
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n");
        let (_, head, _) = answer(&mut reader, true).await?;
        assert!(head.contains("Connection: close\r\n"), "{head}");
        assert_eq!(reader.read_line().await?, None);
        Ok(())
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    within_io(async {
        let (_server, _site, mut reader, mut writer) = site().await?;
        let mut requests = String::new();
        for number in 0..500 {
            let body = number.to_string();
            let length = body.len();
            requests += "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ";
            requests += &format!("{length}\r\n\r\n{body}");
        }
        writer.write(requests.as_bytes());
        for number in 0..500 {
            assert_eq!(answer(&mut reader, true).await?.2, number.to_string());
        }
        Ok(())
    });
}

#[test]
fn a_request_may_come_byte_by_byte() {
    within_io(async {
        let (_server, _site, mut reader, mut writer) = site().await?;
        let request = b"\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
        for byte in request {
            writer.write(&[*byte]);
            petla::yield_now().await;
        }
        assert_eq!(answer(&mut reader, true).await?.2, "abc");
        Ok(())
    });
}

#[test]
fn what_is_malformed_or_too_large_is_refused_and_the_refusal_is_read() {
    let large_head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(9_000)
    );
    let large_body = format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n{}",
        "x".repeat(3_000_000)
    );
    for (request, status) in [
        ("nonsense\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", "400"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            "400",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "400",
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\n", "400"),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc",
            "400",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "501",
        ),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"),
        (&large_head, "431"),
        (&large_body, "413"),
    ] {
        let answer = conversation(request.as_bytes());
        let shown = &request[..request.len().min(80)];
        assert_eq!(answer.split(' ').nth(1), Some(status), "{shown:?}");
        assert!(answer.contains("Connection: close"), "{shown:?}");
    }
    assert_eq!(conversation(b""), "");
    assert_eq!(conversation(b"\r\n"), "");
    let old = conversation(b"GET / HTTP/1.0\r\n\r\n");
    assert!(old.contains("200 OK") && old.contains("close"), "{old}");
    let kept = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    assert!(!conversation(kept).contains("close"));
}

#[test]
fn who_asks_first_is_told_to_go_on() {
    within_io(async {
        let (_server, _site, mut reader, mut writer) = site().await?;
        writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\n");
        writer.write(b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        let go_on = reader.read_until(b"\r\n\r\n").await?;
        assert_eq!(go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        writer.write(b"ok");
        assert_eq!(answer(&mut reader, true).await?.2, "ok");
        Ok(())
    });
}

#[test]
fn at_the_end_idle_connections_close_and_requests_under_way_are_answered() {
    within_io(async {
        let (server, site, mut idle, _idle_writer) = site().await?;
        let address = server.local_addr()?;
        let (mut busy, mut writer) = open_connection(address).await?;
        let (mut half, mut half_writer) = open_connection(address).await?;
        writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nda");
        half_writer.write(b"GET / HTTP/1.1\r\nHo");
        yield_until(|| server.connections() == 3).await;
        for _ in 0..200 {
            petla::yield_now().await;
        }
        let mut stopping = Box::pin(http_server::stop(server, &site));
        assert!(poll_once(&mut stopping).is_pending());
        assert_eq!(idle.read_line().await?, None);
        writer.write(b"ta");
        half_writer.write(b"st: a\r\n\r\n");
        for (reader, body) in [(&mut busy, "data"), (&mut half, "hello\n")] {
            let (status, head, got) = answer(reader, true).await?;
            assert_eq!((status, &got[..]), (200, body));
            assert!(head.contains("Connection: close"), "{head}");
            assert_eq!(reader.read_line().await?, None);
        }
        assert_eq!(stopping.await, 0);
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
}

#[test]
fn no_head_whatever_its_bytes_makes_the_parser_panic() {
    let base = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nConnection: close\r\n\r\n";
    let mut state = 7_u32;
    for _ in 0..20_000 {
        let mut text = base.to_vec();
        for _ in 0..3 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (state >> 8) as usize % text.len();
            match state % 3 {
                0 => text[at] = (state >> 20) as u8,
                1 => drop(text.remove(at)),
                _ => text.insert(at, b"\r\n: 9"[(state >> 20) as usize % 5]),
            }
        }
        let _ = parse(&text);
    }
}

#[test]
fn a_date_is_written_as_http_wants_it() {
    for (seconds, text) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
        (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ] {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(http_server::date(time), text);
    }
}

#[test]
fn curl_gets_its_answers() {
    let stdout = within(async {
        let (server, _site) = http_server::start(any_port()).await.unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let client = std::thread::spawn(move || {
            let large = "x".repeat(200_000);
            Command::new("curl")
                .args(["-s", "--max-time", "10", &format!("{url}/")])
                .args([&format!("{url}/health"), "--next", "-s"])
                .args(["--max-time", "10", "-d", &large[..100_000]])
                .arg(format!("{url}/echo"))
                .output()
        });
        yield_until(|| client.is_finished()).await;
        client.join().unwrap()
    });
    match stdout {
        Ok(output) => {
            let all = text(&output.stdout);
            assert!(all.starts_with("hello\n2 requests served\nxxx"), "{all}");
            assert_eq!(all.len(), 24 + 100_000);
        }
        Err(error) => println!("skipped: no curl: {error}"),
    }
}
