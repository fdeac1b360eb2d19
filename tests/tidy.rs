//! The shape of the source, checked by a program: floors, sizes, headers, where `unsafe` stands.
//!
//! A rule that only people watch wears off. These run with `cargo test`, read nothing but the
//! tree, and say what is wrong and where: `src/wait_list.rs:12: wait_list (floor 1) may not use
//! sync (floor 2)`. The floors and the modules that may hold `unsafe` are read out of the table in
//! ARCHITECTURE.md, so that the page people read and the rule the machine keeps are one text.
//!
//! Each rule has two tests: one holds it against the tree, one shows on a small bad input that the
//! check can fail.
//!
//! # Not here
//! What clippy and rustfmt check (the length of functions, SAFETY comments, layout), and what a
//! text scan cannot see: names that a macro makes up.

#[path = "tidy/checks.rs"]
mod checks;
#[path = "tidy/source.rs"]
mod source;

use checks::{
    COLUMNS, Floors, LINES_PER_FILE, Problems, cancel_safety, cfg_homes, commands, future_types,
    header, imports, leftovers, orphans, page, pages, size, system_calls, unsafe_code, world_cfgs,
};
use source::Source;
use std::{fs, path::Path};

// ---- The tree

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tree() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in [
        "src",
        "tests",
        "examples",
        "benches",
        "macros",
        "integrations",
    ] {
        collect(&root().join(folder), &mut files);
    }
    assert!(
        files.len() > 20,
        "only {} files found: is this the project?",
        files.len()
    );
    files
}

fn collect(folder: &Path, files: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of the project is readable") {
        let path = entry.expect("its entries are too").path();
        // The programs of `tests/api` stand as their authors wrote them.
        let foreign = path.ends_with("target") || path.ends_with("tests/api");
        if path.is_dir() && !foreign {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(root())
                .expect("it is inside")
                .display()
                .to_string();
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            files.push(Source::new(&name, &text));
        }
    }
}

fn floors() -> Floors {
    Floors::parse(&read("ARCHITECTURE.md"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
fn assert_clean(problems: impl IntoIterator<Item = String>) {
    let problems: Problems = problems.into_iter().collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn the_floor_table_lists_the_modules_that_exist() {
    assert_clean(floors().compare(&tree()));
}

#[test]
fn modules_import_lower_floors_only() {
    let floors = floors();
    assert_clean(tree().iter().flat_map(|file| imports(file, &floors)));
}

#[test]
fn files_open_with_a_header_and_keep_the_limits() {
    let files = tree();
    assert_clean(
        files
            .iter()
            .flat_map(|file| [header(file), size(file), leftovers(file)].concat()),
    );
}

#[test]
fn unsafe_code_libc_and_the_cfgs_of_worlds_stay_in_their_modules() {
    let (floors, files) = (floors(), tree());
    let homes = cfg_homes(&files);
    assert_clean(files.iter().flat_map(|file| {
        [
            unsafe_code(file, &floors),
            system_calls(file),
            world_cfgs(file, &homes),
        ]
        .concat()
    }));
}

#[test]
fn what_can_be_awaited_documents_its_cancel_safety() {
    let files = tree();
    let futures = future_types(&files);
    let library = files.iter().filter(|file| file.name().starts_with("src/"));
    assert_clean(library.flat_map(|file| cancel_safety(file, &futures)));
}

#[test]
fn every_source_file_is_declared() {
    assert_clean(orphans(&tree()));
}

#[test]
fn pages_are_short_and_name_files_that_exist() {
    assert_clean(pages(root()));
}

#[test]
fn the_two_commands_of_the_readme_are_what_ci_runs() {
    let (readme, ci) = (read("README.md"), read(".ci/run"));
    let (promised, problems) = commands(&readme, &ci);
    assert_eq!(promised.len(), 2, "{promised:?}");
    assert_clean(problems);
}

// ---- The checks can fail

const TABLE: &str = "| floor | modules | unsafe allowed |\n| --- | --- | --- |\n\
    | 2 | `sync`, `task` | `task` |\n| 1 | `wait_list` | |\n| 0 | `sys` | `sys` |\n";

#[test]
fn an_upward_or_level_import_is_found() {
    let floors = Floors::parse(TABLE);
    let list = Source::new(
        "src/wait_list.rs",
        "use crate::sys::x;\nuse crate::sync::Lock;",
    );
    let upward = "src/wait_list.rs:2: wait_list (floor 1) may not use sync (floor 2)";
    assert_eq!(imports(&list, &floors), [upward]);
    let task = Source::new(
        "src/task/cell.rs",
        "use crate::{task::y, sync};\nsuper::super::Z!();",
    );
    let level = "src/task/cell.rs:1: task (floor 2) may not use sync (floor 2)";
    assert_eq!(imports(&task, &floors), [level]);
    let facade = Source::new("src/sync.rs", "// crate::task\nuse crate::Lock;");
    assert!(imports(&facade, &floors)[0].contains("through lib"));
}

#[test]
fn a_table_that_differs_from_the_tree_is_found() {
    let floors = Floors::parse(&TABLE.replace("| `task` |", "| `task`, `pin` |"));
    let files = [
        "src/task.rs",
        "src/sync.rs",
        "src/wait_list.rs",
        "src/new/mod.rs",
    ];
    let mut problems = floors.compare(&files.map(|path| Source::new(path, "")));
    problems.sort();
    let expected = [
        "new has no floor",
        "pin may hold unsafe, and has no floor",
        "sys is not in src",
    ];
    assert_eq!(problems, expected);
    assert_eq!(
        Floors::parse(&format!("{TABLE}| x | `a` | |\n| 3 | `sys` | |"))
            .problems
            .len(),
        2
    );
}

#[test]
fn a_missing_header_and_what_is_too_long_are_found() {
    let wide = "x".repeat(COLUMNS + 1);
    let file = Source::new("src/a.rs", &format!("{wide}\n// https://{wide}\n"));
    assert_eq!(header(&file).len(), 1);
    assert_eq!(size(&file), ["src/a.rs:1: 101 columns, 100 are allowed"]);
    let long = Source::new("src/a.rs", &"\n".repeat(LINES_PER_FILE + 1));
    assert!(size(&long)[0].contains("501 lines"));
    let note = ["// FIX", "ME: x\nfn f() { dbg!(1) }"].concat();
    assert_eq!(leftovers(&Source::new("src/a.rs", &note)).len(), 2);
}

#[test]
fn unsafe_code_libc_and_the_cfgs_are_found_where_they_may_not_be() {
    let floors = Floors::parse(TABLE);
    let code = "#[cfg(petla_loom)] use libc::x; // unsafe\nunsafe {}\nmod tests { libc }\n\
        #[cfg(petla_shuttle)] mod schedules;";
    let places = [
        "src/sync.rs",
        "src/sync/models.rs",
        "src/task.rs",
        "src/sys/mod.rs",
        "src/rt.rs",
        "examples/a.rs",
    ];
    let homes = ["src/task/models.rs", "src/sync/schedules.rs"].map(|path| Source::new(path, ""));
    let counts = places.map(|path| {
        let file = Source::new(path, code);
        let system_calls = system_calls(&file).len();
        [
            unsafe_code(&file, &floors).len(),
            system_calls,
            world_cfgs(&file, &cfg_homes(&homes)).len(),
        ]
    });
    let expected = [
        [1, 1, 1],
        [0, 1, 1],
        [0, 1, 1],
        [0, 0, 2],
        [1, 1, 0],
        [1, 1, 0],
    ];
    assert_eq!(counts, expected);
}

#[test]
fn an_awaitable_without_its_section_is_found() {
    let text = "impl Future for Nap {}\npub struct Nap;\npub fn nap() -> time::Nap<'_> {}\n\
        pub async fn rest() {}\n/// # Cancel safety\n#[inline]\npub async fn work() {}\n\
        pub fn any() -> impl Future<Output = ()> {}\npub fn none() -> Option<u8> {}\n";
    let file = [Source::new("src/time.rs", text)];
    let found = cancel_safety(&file[0], &future_types(&file));
    let lines: Vec<_> = found
        .iter()
        .map(|problem| problem.split(':').nth(1))
        .collect();
    assert_eq!(lines, [Some("3"), Some("4"), Some("8")]);
    let documented = text.replace("pub struct", "/// # Cancel safety\npub struct");
    let file = [Source::new("src/time.rs", &documented)];
    assert_eq!(cancel_safety(&file[0], &future_types(&file)).len(), 2);
}

#[test]
fn a_file_that_nothing_declares_is_found() {
    let files = [
        ("src/lib.rs", "mod a;"),
        ("src/a.rs", "// mod b;"),
        ("src/a/b.rs", ""),
    ];
    let files = files.map(|(path, text)| Source::new(path, text));
    let expected = "src/a/b.rs:1: no `mod` declares this file: it is never compiled";
    assert_eq!(orphans(&files), [expected]);
}

#[test]
fn a_promised_command_that_ci_does_not_run_is_found() {
    let readme = "text\n```sh\ncargo run   # why\ncargo test\n```\n";
    let (promised, problems) = commands(
        readme,
        "stage cargo run -- --quiet\n# cargo test\nstage cargo test -q",
    );
    assert_eq!(promised, ["cargo run", "cargo test"]);
    assert_eq!(problems, [".ci/run does not run `cargo test`"]);
}

#[test]
fn a_long_page_and_a_file_that_is_gone_are_found() {
    let text = "```sh\nx\n```\n`src/no_such_file.rs` and `src/lib.rs`";
    let problems = page(root(), "A.md", text, 3);
    let expected = [
        "A.md: 4 lines, 3 are allowed",
        "A.md: src/no_such_file.rs does not exist",
    ];
    assert_eq!(problems, expected);
}
