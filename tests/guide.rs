//! The guide is whole: each page is in the documentation, and `from_asyncio` knows every name.
//!
//! The list of asyncio's names is data here, not asked of a Python that happens to be installed:
//! what `asyncio.__all__` gives and what its objects have, without private names. A name is found
//! on the page if it begins a piece of code there: `Task.cancel` in `` `Task.cancel(msg)` ``.
//!
//! # Not here
//! The code on the pages: rustdoc compiles and runs it. Methods of policies and child watchers,
//! which Python takes away.

#[cfg(feature = "macros")]
#[path = "guide/attributes.rs"]
mod attributes;

use std::{collections::BTreeSet, fs, path::Path};

/// asyncio's names by the version of Python that brought them; those of Windows are among the
/// first. Methods stand under the class that the documentation names, those of a loop under `loop`.
const NAMES: [(&str, &str); 4] = [
    (
        "3.11",
        "\
         ALL_COMPLETED AbstractChildWatcher AbstractEventLoop AbstractEventLoopPolicy \
         AbstractServer Barrier Barrier.abort Barrier.broken Barrier.n_waiting Barrier.parties \
         Barrier.reset Barrier.wait BaseEventLoop BaseProtocol BaseProtocol.pause_writing \
         BaseProtocol.resume_writing BaseTransport BaseTransport.close \
         BaseTransport.get_extra_info BaseTransport.get_protocol BaseTransport.is_closing \
         BaseTransport.set_protocol BoundedSemaphore BrokenBarrierError BufferedProtocol \
         BufferedProtocol.buffer_updated BufferedProtocol.get_buffer CancelledError Condition \
         Condition.acquire Condition.locked Condition.notify Condition.notify_all \
         Condition.release Condition.wait Condition.wait_for DatagramProtocol \
         DatagramProtocol.datagram_received DatagramProtocol.error_received DatagramTransport \
         DatagramTransport.abort DatagramTransport.sendto DefaultEventLoopPolicy Event \
         Event.clear Event.is_set Event.set Event.wait FIRST_COMPLETED FIRST_EXCEPTION \
         FastChildWatcher Future Future.add_done_callback Future.cancel Future.cancelled \
         Future.done Future.exception Future.get_loop Future.remove_done_callback Future.result \
         Future.set_exception Future.set_result Handle Handle.cancel Handle.cancelled \
         IncompleteReadError InvalidStateError IocpProactor LifoQueue LimitOverrunError Lock \
         Lock.acquire Lock.locked Lock.release MultiLoopChildWatcher PidfdChildWatcher \
         PriorityQueue ProactorEventLoop Process.communicate Process.kill Process.pid \
         Process.returncode Process.send_signal Process.stderr Process.stdin Process.stdout \
         Process.terminate Process.wait Protocol Protocol.connection_lost \
         Protocol.connection_made Protocol.data_received Protocol.eof_received Queue Queue.empty \
         Queue.full Queue.get Queue.get_nowait Queue.join Queue.maxsize Queue.put \
         Queue.put_nowait Queue.qsize Queue.task_done QueueEmpty QueueFull ReadTransport Runner \
         Runner.close Runner.get_loop Runner.run SafeChildWatcher SelectorEventLoop Semaphore \
         Semaphore.acquire Semaphore.locked Semaphore.release SendfileNotAvailableError Server \
         Server.close Server.get_loop Server.is_serving Server.serve_forever Server.sockets \
         Server.start_serving Server.wait_closed StreamReader StreamReader.at_eof \
         StreamReader.exception StreamReader.feed_data StreamReader.feed_eof StreamReader.read \
         StreamReader.readexactly StreamReader.readline StreamReader.readuntil \
         StreamReader.set_exception StreamReader.set_transport StreamReaderProtocol StreamWriter \
         StreamWriter.can_write_eof StreamWriter.close StreamWriter.drain \
         StreamWriter.get_extra_info StreamWriter.is_closing StreamWriter.start_tls \
         StreamWriter.transport StreamWriter.wait_closed StreamWriter.write \
         StreamWriter.write_eof StreamWriter.writelines SubprocessProtocol \
         SubprocessProtocol.pipe_connection_lost SubprocessProtocol.pipe_data_received \
         SubprocessProtocol.process_exited SubprocessTransport SubprocessTransport.close \
         SubprocessTransport.get_pid SubprocessTransport.get_pipe_transport \
         SubprocessTransport.get_returncode SubprocessTransport.kill \
         SubprocessTransport.send_signal SubprocessTransport.terminate Task \
         Task.add_done_callback Task.cancel Task.cancelled Task.cancelling Task.done \
         Task.exception Task.get_coro Task.get_loop Task.get_name Task.get_stack Task.print_stack \
         Task.remove_done_callback Task.result Task.set_exception Task.set_name Task.set_result \
         Task.uncancel TaskGroup TaskGroup.create_task ThreadedChildWatcher Timeout \
         Timeout.expired Timeout.reschedule Timeout.when TimeoutError TimerHandle \
         TimerHandle.when Transport Transport.abort Transport.can_write_eof \
         Transport.get_write_buffer_limits Transport.get_write_buffer_size Transport.is_reading \
         Transport.pause_reading Transport.resume_reading Transport.set_write_buffer_limits \
         Transport.write Transport.write_eof Transport.writelines WindowsProactorEventLoopPolicy \
         WindowsSelectorEventLoopPolicy WriteTransport all_tasks as_completed \
         create_subprocess_exec create_subprocess_shell create_task current_task ensure_future \
         gather get_child_watcher get_event_loop get_event_loop_policy get_running_loop \
         iscoroutine iscoroutinefunction isfuture loop.add_reader loop.add_signal_handler \
         loop.add_writer loop.call_at loop.call_exception_handler loop.call_later loop.call_soon \
         loop.call_soon_threadsafe loop.close loop.connect_accepted_socket loop.connect_read_pipe \
         loop.connect_write_pipe loop.create_connection loop.create_datagram_endpoint \
         loop.create_future loop.create_server loop.create_task loop.create_unix_connection \
         loop.create_unix_server loop.default_exception_handler loop.get_debug \
         loop.get_exception_handler loop.get_task_factory loop.getaddrinfo loop.getnameinfo \
         loop.is_closed loop.is_running loop.remove_reader loop.remove_signal_handler \
         loop.remove_writer loop.run_forever loop.run_in_executor loop.run_until_complete \
         loop.sendfile loop.set_debug loop.set_default_executor loop.set_exception_handler \
         loop.set_task_factory loop.shutdown_asyncgens loop.shutdown_default_executor \
         loop.slow_callback_duration loop.sock_accept loop.sock_connect loop.sock_recv \
         loop.sock_recv_into loop.sock_recvfrom loop.sock_recvfrom_into loop.sock_sendall \
         loop.sock_sendfile loop.sock_sendto loop.start_tls loop.stop loop.subprocess_exec \
         loop.subprocess_shell loop.time new_event_loop open_connection open_unix_connection run \
         run_coroutine_threadsafe set_child_watcher set_event_loop set_event_loop_policy shield \
         sleep start_server start_unix_server subprocess.DEVNULL subprocess.PIPE \
         subprocess.Process subprocess.STDOUT timeout timeout_at to_thread wait wait_for \
         wrap_future",
    ),
    (
        "3.12",
        "\
         Handle.get_context Task.get_context create_eager_task_factory eager_task_factory",
    ),
    (
        "3.13",
        "\
         EventLoop Queue.shutdown QueueShutDown Server.abort_clients Server.close_clients",
    ),
    (
        "3.14",
        "\
         FrameCallGraphEntry FutureCallGraph capture_call_graph format_call_graph \
         future_add_to_awaited_by future_discard_from_awaited_by print_call_graph",
    ),
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text without its blocks of code.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// What stands between backticks, line by line.
fn pieces(prose: &str) -> impl Iterator<Item = &str> {
    prose
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Does this piece of code begin with this name, and not with a longer one?
fn begins_with(piece: &str, name: &str) -> bool {
    let longer = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    piece
        .strip_prefix(name)
        .is_some_and(|rest| !rest.starts_with(longer))
}

fn missing<'a>(page: &str, names: &'a str) -> Vec<&'a str> {
    let prose = prose(page);
    let there = |name: &str| pieces(&prose).any(|piece| begins_with(piece, name));
    names.split(' ').filter(|name| !there(name)).collect()
}

#[test]
fn from_asyncio_has_every_public_name_of_asyncio() {
    let page = read("docs/guide/from_asyncio.md");
    for (version, names) in NAMES {
        let missing = missing(&page, names);
        assert!(missing.is_empty(), "of Python {version}: {missing:?}");
    }
}

#[test]
fn the_page_on_testing_shows_the_tests_that_run_here() {
    let source = include_str!("guide/attributes.rs");
    let (_header, code) = source.split_once("\n\n").expect("a header, then the code");
    assert!(read("docs/guide/testing.md").contains(code));
}

/// The anchor that rustdoc gives a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let kept: String = heading.chars().filter(kept).collect();
    kept.to_lowercase().replace(' ', "-")
}

#[test]
fn links_within_a_page_lead_to_a_heading() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide");
    let mut links = 0;
    for entry in fs::read_dir(folder).expect("the pages have a folder") {
        let path = entry.expect("it can be read").path();
        let prose = prose(&fs::read_to_string(&path).expect("pages are UTF-8"));
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        let anchors: BTreeSet<String> = headings
            .map(|line| anchor(line.trim_start_matches(['#', ' '])))
            .collect();
        for link in prose.split("](#").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            assert!(anchors.contains(link), "{}: #{link}", path.display());
            links += 1;
        }
    }
    assert!(links > 20, "only {links} links found");
}

#[test]
fn the_list_of_names_is_sorted_and_has_none_twice() {
    for (version, names) in NAMES {
        let sorted: BTreeSet<&str> = names.split(' ').collect();
        let sorted: Vec<&str> = sorted.into_iter().collect();
        assert_eq!(names, sorted.join(" "), "of Python {version}");
    }
}

#[test]
fn a_name_that_is_not_there_is_found_missing() {
    let page = "| `Task.cancel(msg)` | `gather!` | see sleep |\n```rust\nlet x = `wait`;\n```\n";
    let names = "Task Task.cancel Task.cancelled gather sleep wait";
    assert_eq!(
        missing(page, names),
        ["Task", "Task.cancelled", "sleep", "wait"]
    );
}

#[test]
fn every_page_is_in_the_documentation_and_every_module_has_its_page() {
    let source = read("src/guide.rs");
    let declared: BTreeSet<String> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "))
        .map(|rest| rest.trim_end_matches([' ', '{', '}']).to_owned())
        .collect();
    let included: BTreeSet<String> = source
        .split("include_str!(\"../docs/guide/")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(".md\")")?.0.to_owned()))
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide");
    let pages: BTreeSet<String> = fs::read_dir(folder)
        .expect("the pages have a folder")
        .map(|entry| entry.expect("it can be read").path())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(pages.len() > 5, "only {pages:?}");
    assert_eq!(declared, included, "modules, and the pages they include");
    assert_eq!(declared, pages, "modules, and the files in docs/guide");
    for page in &pages {
        assert!(
            source.contains(&format!("| [`{page}`] |")),
            "the table leaves out {page}"
        );
    }
}
