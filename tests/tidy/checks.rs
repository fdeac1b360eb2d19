//! What `tidy` demands of the tree: one function a rule, from files to a list of problems.
//!
//! A problem is a line for the reader: the place, what is wrong there, and what to do.
//!
//! # Invariants
//! - **Complete**: a module under `src` is in the floor table, a module in the table is under
//!   `src`, and a file under `src` is declared by a `mod`.
//! - **Downward**: a module imports from lower floors only. Its own submodules are free. This
//!   holds for its tests as well: what a floor needs to be tested, it needs.
//!
//! # Not here
//! How a file is taken apart (`source.rs`), and the tests that these checks can fail (`tidy.rs`).

use super::source::{RootPath, Source};
use std::collections::{HashMap, HashSet};
use std::{fs, path::Path};

pub(crate) const LINES_PER_FILE: usize = 500;
pub(crate) const COLUMNS: usize = 100;
/// Documents that are read in one go, and how many lines that allows.
const PAGES: [(&str, usize); 3] = [
    ("README.md", 120),
    ("ARCHITECTURE.md", 200),
    ("CONTRIBUTING.md", 70),
];
/// The one module that talks to the system.
const SYSTEM: &str = "sys";
const CANCEL_SAFETY: &str = "# Cancel safety";

pub(crate) type Problems = Vec<String>;

// ---- The table

#[derive(Debug, Default)]
pub(crate) struct Floors {
    floor_of: HashMap<String, u32>,
    unsafe_allowed: HashSet<String>,
    pub(crate) problems: Problems,
}

impl Floors {
    /// Reads `| floor | modules | unsafe allowed |`; names stand in backquotes.
    pub(crate) fn parse(page: &str) -> Floors {
        let rows = page
            .lines()
            .skip_while(|line| !line.starts_with("| floor | modules | unsafe"));
        let mut floors = Floors::default();
        for row in rows.take_while(|line| line.starts_with('|')).skip(2) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let [_, floor, modules, unsafe_allowed, _] = cells[..] else {
                floors
                    .problems
                    .push(format!("a row of the floor table without 3 cells: {row}"));
                continue;
            };
            let Ok(floor) = floor.parse() else {
                floors
                    .problems
                    .push(format!("`{floor}` is not the number of a floor"));
                continue;
            };
            for module in quoted(modules) {
                if floors.floor_of.insert(module.to_owned(), floor).is_some() {
                    floors
                        .problems
                        .push(format!("{module} stands twice in the floor table"));
                }
            }
            floors
                .unsafe_allowed
                .extend(quoted(unsafe_allowed).map(str::to_owned));
        }
        floors
    }

    /// Whether this module, or one that it is in, may hold `unsafe`.
    fn allow_unsafe(&self, module: &[&str]) -> bool {
        (1..=module.len()).any(|depth| self.unsafe_allowed.contains(&module[..depth].join("::")))
    }

    /// **Complete**, as far as the table goes.
    pub(crate) fn compare(&self, files: &[Source]) -> Problems {
        let present: HashSet<&str> = files.iter().filter_map(Source::top_module).collect();
        let known: HashSet<&str> = self.floor_of.keys().map(String::as_str).collect();
        let unknown = self.unsafe_allowed.iter().filter(|name| {
            !name
                .split("::")
                .next()
                .is_some_and(|top| known.contains(top))
        });
        let missing = present
            .difference(&known)
            .map(|name| format!("{name} has no floor"));
        let gone = known
            .difference(&present)
            .map(|name| format!("{name} is not in src"));
        let unknown = unknown.map(|name| format!("{name} may hold unsafe, and has no floor"));
        self.problems
            .iter()
            .cloned()
            .chain(missing)
            .chain(gone)
            .chain(unknown)
            .collect()
    }
}

fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

// ---- The checks

/// **Downward**.
pub(crate) fn imports(file: &Source, floors: &Floors) -> Problems {
    let Some(own) = file.top_module().filter(|name| *name != "lib") else {
        return Vec::new();
    };
    let Some(own_floor) = floors.floor_of.get(own) else {
        return Vec::new(); // `Floors::compare` says so
    };
    let judge = |path: RootPath<'_>| {
        let used = path.head;
        let problem = match floors.floor_of.get(used) {
            _ if used == own => return None,
            Some(floor) if floor < own_floor => return None,
            Some(floor) => {
                format!("{own} (floor {own_floor}) may not use {used} (floor {floor})")
            }
            None if path.is_macro || path.in_macro => return None,
            None => format!("{own} may not use `{used}` through lib: name the module it is from"),
        };
        Some(file.at(path.line, &problem))
    };
    file.root_paths().into_iter().filter_map(judge).collect()
}

pub(crate) fn header(file: &Source) -> Problems {
    let first = file.text.lines().next().unwrap_or_default();
    let opened = first.starts_with("//!") || first.starts_with("#![doc = include_str!");
    let problem = || file.at(1, "no `//!` header: say why the file exists");
    (!opened).then(problem).into_iter().collect()
}

pub(crate) fn size(file: &Source) -> Problems {
    let count = file.text.lines().count();
    let long = (count > LINES_PER_FILE).then(|| {
        file.at(
            count,
            &format!("{count} lines, {LINES_PER_FILE} are allowed: split it"),
        )
    });
    let wide = file.text.lines().enumerate().filter_map(|(i, line)| {
        let columns = line.chars().count();
        let problem = || file.at(i + 1, &format!("{columns} columns, {COLUMNS} are allowed"));
        (columns > COLUMNS && !line.contains("://")).then(problem)
    });
    long.into_iter().chain(wide).collect()
}

/// `unsafe` in the modules that the table names, and in tests, models and benchmarks.
pub(crate) fn unsafe_code(file: &Source, floors: &Floors) -> Problems {
    let allowed = match file.module() {
        Some(path) => floors.allow_unsafe(&path) || is_model(file),
        None => !file.path.starts_with("examples/"),
    };
    let uses = file
        .tokens()
        .into_iter()
        .filter(|token| !allowed && token.text == "unsafe");
    uses.map(|token| file.at(token.line, "`unsafe` outside the modules that may hold it"))
        .collect()
}

/// `libc` in `sys`, in tests and in benchmarks.
pub(crate) fn system_calls(file: &Source) -> Problems {
    let allowed = match file.top_module() {
        Some(module) => module == SYSTEM || file.name() == "tests.rs",
        None => !file.path.starts_with("examples/"),
    };
    let tokens = file.tokens_outside_tests();
    let uses = tokens
        .into_iter()
        .filter(|token| !allowed && token.text == "libc");
    uses.map(|token| file.at(token.line, "`libc` outside `sys`: add the call there"))
        .collect()
}

/// The worlds beside the real one: the cfg of each, and the modules that are compiled in it alone.
const WORLDS: [(&str, &str); 2] = [("petla_loom", "models"), ("petla_shuttle", "schedules")];

/// The modules in which each world's cfg may stand beside `rt`: those with models or schedules
/// of their own declare them, and may differ where that world's types do.
pub(crate) fn cfg_homes(files: &[Source]) -> HashSet<(&str, &str)> {
    let homes = |file| {
        let worlds = WORLDS.into_iter();
        let own = worlds.filter(move |(_, module)| is_in(file, module));
        own.filter_map(|(cfg, _)| Some((cfg, file.top_module()?)))
    };
    files.iter().flat_map(homes).collect()
}

/// Loom models are compiled for tests only, and look into its cells through raw pointers.
fn is_model(file: &Source) -> bool {
    is_in(file, "models")
}

fn is_in(file: &Source, module: &str) -> bool {
    file.module().is_some_and(|path| path.contains(&module))
}

/// The cfg of a world in `rt`, and in its homes.
pub(crate) fn world_cfgs(file: &Source, homes: &HashSet<(&str, &str)>) -> Problems {
    let allowed = |cfg| {
        let module = file.top_module();
        module.is_none_or(|module| module == "rt" || homes.contains(&(cfg, module)))
    };
    let foreign = |(cfg, own)| {
        let tokens = file.tokens().into_iter();
        let uses = tokens.filter(move |token| token.text == cfg && !allowed(cfg));
        uses.map(move |token| {
            let problem = format!("`{cfg}` outside `rt` and what has {own}");
            file.at(token.line, &problem)
        })
    };
    WORLDS.into_iter().flat_map(foreign).collect()
}

/// Words for the desk, not for the tree.
pub(crate) fn leftovers(file: &Source) -> Problems {
    let notes = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|halves| halves.concat());
    let noted = file.text.lines().enumerate().flat_map(|(i, line)| {
        let words = line.split(|c: char| !c.is_alphanumeric());
        let found = words.filter(|word| notes.iter().any(|note| note == word));
        found.map(move |word| file.at(i + 1, &format!("a {word} is left")))
    });
    let tokens = file.tokens();
    let calls = tokens.windows(2).filter(|pair| {
        matches!(pair[0].text, "dbg" | "todo" | "unimplemented") && pair[1].text == "!"
    });
    let called = calls.map(|pair| file.at(pair[0].line, &format!("a {}! is left", pair[0].text)));
    noted.chain(called).collect()
}

/// **Complete**: files that no `mod name;` leads to are never compiled.
pub(crate) fn orphans(files: &[Source]) -> Problems {
    let declared = |file: &&Source| {
        let Some(names) = file.module().filter(|names| !names.is_empty()) else {
            return true;
        };
        let (name, parent) = (names[names.len() - 1], &names[..names.len() - 1]);
        let mut parents = files
            .iter()
            .filter(|file| file.module().as_deref() == Some(parent));
        parents.any(|file| {
            let words: Vec<&str> = file.tokens().iter().map(|token| token.text).collect();
            words.windows(3).any(|three| three == ["mod", name, ";"])
        })
    };
    let lost = files.iter().filter(|file| !declared(file));
    lost.map(|file| file.at(1, "no `mod` declares this file: it is never compiled"))
        .collect()
}

/// The types that `impl Future for ..` names, and whether their own documentation has the section.
pub(crate) fn future_types(files: &[Source]) -> HashMap<String, bool> {
    let mut types = HashMap::new();
    for file in files {
        let tokens = file.tokens();
        for three in tokens.windows(3).filter(|three| three[0].text == "Future") {
            if three[1].text == "for" {
                types.entry(three[2].text.to_owned()).or_insert(false);
            }
        }
    }
    for file in files {
        for two in file
            .tokens()
            .windows(2)
            .filter(|two| matches!(two[0].text, "struct" | "enum"))
        {
            if let Some(documented) = types.get_mut(two[1].text) {
                *documented |= says_cancel_safety(file, two[0].line);
            }
        }
    }
    types
}

fn says_cancel_safety(file: &Source, line: usize) -> bool {
    file.docs_above(line)
        .iter()
        .any(|doc| doc.contains(CANCEL_SAFETY))
}

/// What can be awaited says what dropping it before its end loses: at the public function that
/// makes it, or at its type.
pub(crate) fn cancel_safety(file: &Source, futures: &HashMap<String, bool>) -> Problems {
    let is_future = |word: &&str| match futures.get(*word) {
        Some(documented) => !documented,
        None => matches!(*word, "Future" | "IntoFuture"),
    };
    let awaited = file.public_functions().into_iter().filter(|function| {
        let returned = function.returned.iter();
        // `impl Future`, `Pin<Box<dyn Future>>`, or the last name before `<`: `time::Sleep`.
        let head = returned.clone().take_while(|word| **word != "<").last();
        let any = returned.clone().find(|word| word.ends_with("Future"));
        function.is_async || head.into_iter().chain(any).any(is_future)
    });
    let silent = awaited.filter(|function| !says_cancel_safety(file, function.line));
    silent
        .map(|function| {
            let name = function.name;
            file.at(
                function.line,
                &format!("{name} can be awaited: add `{CANCEL_SAFETY}`"),
            )
        })
        .collect()
}

// ---- The pages

pub(crate) fn pages(root: &Path) -> Problems {
    let check = |(name, lines)| match fs::read_to_string(root.join(name)) {
        Ok(text) => page(root, name, &text, lines),
        Err(error) => vec![format!("{name}: {error}")],
    };
    PAGES.into_iter().flat_map(check).collect()
}

/// A page is short, and the files it names are there.
pub(crate) fn page(root: &Path, name: &str, text: &str, allowed: usize) -> Problems {
    let lines = text.lines().count();
    let long = (lines > allowed).then(|| format!("{name}: {lines} lines, {allowed} are allowed"));
    let folders = ["src/", "tests/", "examples/", "benches/", ".ci/"];
    let paths = text.lines().flat_map(quoted).filter(|word| {
        folders.iter().any(|folder| word.starts_with(folder)) && !root.join(word).exists()
    });
    let gone = paths.map(|path| format!("{name}: {path} does not exist"));
    long.into_iter().chain(gone).collect()
}

/// The commands of the README's first `sh` block: those that the continuous integration must run,
/// with arguments of its own at most.
pub(crate) fn commands<'a>(readme: &'a str, ci: &str) -> (Vec<&'a str>, Problems) {
    let block = readme.lines().skip_while(|line| *line != "```sh").skip(1);
    let lines = block.take_while(|line| *line != "```");
    let promised: Vec<&str> = lines
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .collect();
    let steps: Vec<&str> = ci.lines().filter(|line| !line.starts_with('#')).collect();
    let runs = |command: &str| {
        let with_arguments = format!("{command} -- ");
        let mut steps = steps.iter();
        steps.any(|step| step.ends_with(command) || step.contains(&with_arguments))
    };
    let missing = promised.iter().filter(|command| !runs(command));
    let problems = missing
        .map(|command| format!(".ci/run does not run `{command}`"))
        .collect();
    (promised, problems)
}
